"""RawProducer: raw events into their raw topics, keyed by device, with an account of every one.

Idempotent and acks=all, so that a retry makes no duplicate and an acknowledged event is on every in-sync replica. The
queue is bounded, in librdkafka; when it is full `send` waits, for a bounded time. Not safe for several threads at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from pipelines.broker import Cluster, KafkaError, KafkaException, Message, error_of
from pipelines.contract.model import Contract
from pipelines.sdk.encoding import Encoder, Misfit, encoders
from pipelines.sdk.report import IN_FLIGHT, QUEUE_FULL, Report, Unacknowledged
from pipelines.trouble import Trouble

QUEUE_EVENTS: Final = 50_000
ROOM_S: Final = 30.0
CLOSE_S: Final = 30.0
_POLL_S: Final = 0.1
_POLL_EVERY: Final = 256


class RawProducer:
    """Publishes events of the contract.

    Use it as a context manager. On leaving, it waits up to `close_s` seconds for answers and then gives up on what has
    none; when that leaves an event unacknowledged that no `flush` had told of, it raises `Trouble` (exit 3), unless
    another exception is already on its way.

    Args:
        cluster: where to.
        contract: the event types and their schemas.
        room_s: how long `send` may wait for room in the queue.
        close_s: how long leaving may wait for answers.
        overrides: librdkafka settings that differ.
    """

    def __init__(
        self,
        cluster: Cluster,
        contract: Contract,
        *,
        room_s: float = ROOM_S,
        close_s: float = CLOSE_S,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap = cluster.bootstrap
        self._topics = {name: event.raw_topic for name, event in contract.events.items()}
        self._encoders = {name: encoders(event) for name, event in contract.events.items()}
        self._producer = cluster.producer(
            **{"queue.buffering.max.messages": QUEUE_EVENTS, "linger.ms": 10, **(overrides or {})}
        )
        self._room_s = room_s
        self._close_s = close_s
        self._number = 0
        self._acknowledged = 0
        self._lost: list[Unacknowledged] = []
        self._awaited: dict[int, str] = {}
        self._told: set[int] = set()

    def send(self, event: str, fields: Mapping[str, Any], *, version: int | None = None) -> None:
        """Encode an event under a version of its schema (default: the newest) and put it into the queue.

        May block: while the queue is full, up to `room_s` seconds. An event that then has no room, or that librdkafka
        does not take, is among the unacknowledged of the next report.

        Raises:
            Misfit: no such event type or version, or fields that do not fit; nothing was published.
        """
        encoder = self._encoder(event, version)
        self._publish(event, encoder.encode(fields), encoder.key(fields))

    def send_encoded(self, event: str, value: bytes, *, key: bytes | None) -> None:
        """Put bytes into the queue as they are: for gateways that encode themselves, and for faults on purpose.

        Raises:
            Misfit: no such event type.
        """
        if event not in self._topics:
            raise Misfit("there is no such event type in the contract")
        self._publish(event, value, key)

    def flush(self, timeout: float) -> Report:
        """Wait up to `timeout` seconds for answers, and tell what was settled since the last report."""
        self._producer.flush(timeout)
        awaited = [Unacknowledged(event, number, IN_FLIGHT) for number, event in self._awaited.items()]
        report = Report(self._acknowledged, tuple(sorted([*self._lost, *awaited], key=lambda each: each.number)))
        self._told = set(self._awaited)
        self._acknowledged = 0
        self._lost = []
        return report

    def close(self, timeout: float) -> Report:
        """Wait up to `timeout` seconds for answers, give up on events without one, and tell what was settled.

        An event given up may have been written all the same: its answer is what is missing.
        """
        self._producer.flush(timeout)
        self._producer.purge()
        return self.flush(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told = self._told
        untold = [lost for lost in self.close(self._close_s).unacknowledged if lost.number not in told]
        if untold and error is None:
            names = ", ".join(sorted({lost.error for lost in untold}))
            raise Trouble(
                f"{len(untold)} events were not acknowledged by {self._bootstrap} ({names})",
                hint="Send them again when the broker answers; events that did arrive will then be there twice.",
            )

    def _encoder(self, event: str, version: int | None) -> Encoder:
        versions = self._encoders.get(event)
        if versions is None:
            raise Misfit("there is no such event type in the contract")
        encoder = versions.get(max(versions) if version is None else version)
        if encoder is None:
            known = ", ".join(map(str, versions))
            raise Misfit(f"{event} has no such version; there are {known}")
        return encoder

    def _publish(self, event: str, value: bytes, key: bytes | None) -> None:
        self._number = number = self._number + 1
        if number % _POLL_EVERY == 0:
            self._producer.poll(0)
        self._awaited[number] = event
        deadline: float | None = None
        while True:
            try:
                self._producer.produce(self._topics[event], value, key, on_delivery=partial(self._settled, number))
            except BufferError:
                now = time.monotonic()
                deadline = now + self._room_s if deadline is None else deadline
                if now >= deadline:
                    self._lose(number, QUEUE_FULL)
                    return
                self._producer.poll(min(_POLL_S, deadline - now))
            except KafkaException as refused:
                error = error_of(refused)
                self._lose(number, "UNKNOWN" if error is None else error.name())
                return
            else:
                return

    def _settled(self, number: int, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._lose(number, error.name())
        elif self._awaited.pop(number, None) is not None:
            self._acknowledged += 1

    def _lose(self, number: int, error: str) -> None:
        event = self._awaited.pop(number, None)
        if event is not None:
            self._lost.append(Unacknowledged(event, number, error))
