"""What a worker may say: a closed vocabulary of events and fields, written as lines to standard error.

A log line names topics, partitions, offsets, counts and codes. It never holds an event's value, a key or an
identifier: a field that is not in the vocabulary is replaced by its name, and a test holds every call to the list.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TextIO

import structlog

# Log event -> the fields it may carry. Text fields hold names from the contract, codes of a closed set, or (`text`)
# a line of the Kafka client about connections.
VOCABULARY: Final[dict[str, frozenset[str]]] = {
    "worker.started": frozenset({"contract", "walk", "pid"}),
    "worker.waiting": frozenset({"message"}),
    "worker.ready": frozenset({"topics"}),
    "worker.stopping": frozenset({"cause"}),
    "worker.stopped": frozenset(),
    "worker.trouble": frozenset({"message", "hint", "exit_code"}),
    "worker.crashed": frozenset({"kind", "place"}),
    "partitions.assigned": frozenset({"topic", "partitions"}),
    "partitions.revoked": frozenset({"topic", "partitions"}),
    "partitions.lost": frozenset({"topic", "partitions"}),
    "position.first_start": frozenset({"topic", "partition", "offset"}),
    "position.gap": frozenset({"topic", "partition", "offset", "count"}),
    "position.behind": frozenset({"topic", "partition"}),
    "batch.failed": frozenset({"reason", "events"}),
    "producer.replaced": frozenset({"reason"}),
    "transaction.hangs": frozenset({"topic", "partition", "offset"}),
    "replicas.few": frozenset({"topics"}),
    "offsets.hang": frozenset({"topic"}),
    "owner.fenced": frozenset({"slot"}),
    "owner.not_fenced": frozenset({"slot", "reason"}),
    "consumer.replaced": frozenset({"reason"}),
    "input.unreadable": frozenset({"topic", "partition", "reason"}),
    "input.ahead": frozenset({"events", "seconds"}),
    "input.given_up": frozenset({"topic", "partition", "offset", "count", "reason"}),
    "lag.expiry_near": frozenset({"topic", "limit_of", "seconds"}),
    "lag.expiring": frozenset({"topic", "limit_of"}),
    "kafka.client": frozenset({"facility", "text"}),
    "clock.behind": frozenset({"seconds"}),
    "clock.ahead": frozenset({"seconds"}),
    "contract.on_disk": frozenset({"state", "running", "on_disk", "hint"}),
    "topics.drift": frozenset({"topic", "code", "message", "settings", "command"}),
    "topics.unproven": frozenset({"topic", "partition", "message"}),
    "topics.unverified": frozenset({"message", "hint"}),
    "keys.runway_short": frozenset({"purpose", "hours"}),
    "review.expired": frozenset({"purpose"}),
    "replay.started": frozenset({"replay", "event_type", "resumed"}),
    "replay.finished": frozenset({"replay", "events"}),
    "metrics.unreadable": frozenset({"file"}),
    "supervisor.started": frozenset({"workers"}),
    "supervisor.worker_ended": frozenset({"source", "slot", "exit_code", "restart_in_s"}),
    "supervisor.worker_not_started": frozenset({"source", "slot", "reason", "restart_in_s"}),
    "supervisor.worker_stuck": frozenset({"source", "slot"}),
    "supervisor.stopped": frozenset({"exit_code"}),
}
_ALWAYS = frozenset({"event", "level", "timestamp", "worker"})
_LONGEST_TEXT = 300
FORMAT_VARIABLE: Final = "PIPELINES_LOG_FORMAT"
LEVEL_VARIABLE: Final = "PIPELINES_LOG_LEVEL"


def keep_to_vocabulary(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what the vocabulary does not know (a structlog processor)."""
    allowed = VOCABULARY.get(line["event"])
    if allowed is None:
        return {"event": "log.unknown", **{name: line[name] for name in _ALWAYS - {"event"} if name in line}}
    for name in list(line):
        if name not in allowed and name not in _ALWAYS:
            del line[name]
            line["level"] = "error"
        elif isinstance(line[name], str):
            line[name] = line[name][:_LONGEST_TEXT]
        elif not isinstance(line[name], int | float | list | None):
            line[name] = type(line[name]).__name__
    return line


@dataclass(frozen=True, slots=True)
class LogStyle:
    """How log lines look, and which are written.

    Attributes:
        format: `json`, one object a line for programs; `text`, columns for people; `auto`, text on a terminal and JSON
            elsewhere.
        level: the least level that is written, `info`, `warning` or `error`.
    """

    format: str = "auto"
    level: str = "info"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> LogStyle:
        """Return the style that a process was started with: see `environment`."""
        return cls(environment.get(FORMAT_VARIABLE, cls().format), environment.get(LEVEL_VARIABLE, cls().level))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that hand the style to a process."""
        return {FORMAT_VARIABLE: self.format, LEVEL_VARIABLE: self.level}


def configure(worker: str, output: TextIO | None = None, style: LogStyle | None = None) -> structlog.stdlib.BoundLogger:
    """Send log lines to `output` (standard error), each with the worker's slot, and return the logger."""
    output, style = output or sys.stderr, style or LogStyle()
    as_json = style.format == "json" or (style.format == "auto" and not output.isatty())
    renderer = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if as_json
        # Texts with their controls escaped: some are the Kafka client's, which quotes what a broker answered.
        else structlog.dev.ConsoleRenderer(colors=output.isatty(), repr_native_str=True, pad_level=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_to_vocabulary,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[style.level.upper()]),
        # One write a line, its end included: workers share a stream, which PYTHONUNBUFFERED may have unbuffered.
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(worker=worker)
    return logger


class ClientLogHandler(logging.Handler):
    """Turns the Kafka client's log records into lines of the vocabulary; other libraries are not heard."""

    def __init__(self, logger: structlog.stdlib.BoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, if it is the Kafka client's."""
        facility = getattr(record, "facility", None)
        if facility is not None:
            self._logger.warning("kafka.client", facility=str(facility), text=record.getMessage())
