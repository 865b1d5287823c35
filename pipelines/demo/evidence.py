"""What the topics hold after the run: read once, counted, searched byte by byte. Keeps no value but one example's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from pipelines.broker import Message, headers_of, records
from pipelines.contract.model import Event
from pipelines.demo.stage import Stage
from pipelines.keys import event_block, topic_hash
from pipelines.simulate import Tally, find


@dataclass(frozen=True, slots=True)
class After:
    """A minimized record of the example event."""

    topic: str
    key: bytes | None
    value: bytes
    headers: dict[str, str]
    timestamp_ms: int


@dataclass(slots=True)
class Example:
    """One event, before and after. `ids` are the event ids that its records must carry, by topic."""

    event: Event
    before: bytes
    ids: dict[str, str]
    after: list[After] = field(default_factory=list)


@dataclass(slots=True)
class Evidence:
    """Counts by topic, and what the searches found. `leaks` counts records by (kind, topic, part)."""

    raw: Counter[str] = field(default_factory=Counter)
    out: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
    leaks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    finer_times: Counter[str] = field(default_factory=Counter)
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    searched_bytes: int = 0
    log_lines: int = 0
    metric_lines: int = 0


def read_raw(stage: Stage, event: Event, evidence: Evidence, tally: Tally, fingerprint: bytes) -> Example | None:
    """Count an event type's raw records and note their canaries; the first of that schema becomes the example."""
    example = None
    topic_id = stage.cluster.admin().topics([event.raw_topic])[event.raw_topic].topic_id
    for message in records(stage.cluster, event.raw_topic):
        evidence.raw[event.raw_topic] += 1
        value = message.value() or b""
        tally.note(value)
        if example is None and value[2:10] == fingerprint:
            example = Example(event, value, _ids(stage, event, topic_id, message))
    return example


def read_minimized(stage: Stage, evidence: Evidence, example: Example | None) -> None:
    """Count and search every record of every minimized topic, and of quarantine."""
    events = stage.contract.events.values()
    steps = {(view.topic, view.event): view.step_ms for event in events for view in event.views}
    for topic in stage.contract.topics:
        keys = evidence.keys.setdefault(topic, set())
        for message in records(stage.cluster, topic):
            evidence.out[topic] += 1
            _search(evidence, topic, message)
            key, timestamp_ms = message.key(), message.timestamp()[1]
            if isinstance(key, bytes):
                keys.add(key)
            if timestamp_ms % steps[topic, dict(_headers(message)).get("ce_type", "")]:
                evidence.finer_times[topic] += 1
            if example is not None:
                _keep(example, topic, message)
    for message in records(stage.cluster, stage.contract.quarantine.name):
        evidence.quarantined += 1
        _search(evidence, stage.contract.quarantine.name, message)


def read_logs_and_metrics(stage: Stage, evidence: Evidence) -> None:
    """Search what the workers logged and measured."""
    with stage.logs.open("rb") as lines:
        for line in lines:
            evidence.log_lines += 1
            _look(evidence, "logs", "line", line)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(stage.metrics))  # type: ignore[no-untyped-call]
    for line in generate_latest(registry).splitlines():
        evidence.metric_lines += 1
        _look(evidence, "metrics", "line", line)


def _search(evidence: Evidence, topic: str, message: Message) -> None:
    for part, data in _parts(message):
        _look(evidence, topic, part, data)


def _parts(message: Message) -> Iterator[tuple[str, bytes]]:
    yield "key", _bytes(message.key())
    yield "value", _bytes(message.value())
    for name, value in headers_of(message):
        yield "header", name.encode() + b"=" + value
    timestamp_ms = message.timestamp()[1]
    yield "timestamp", timestamp_ms.to_bytes(8, "big", signed=True) + str(timestamp_ms).encode()


def _look(evidence: Evidence, place: str, part: str, data: bytes) -> None:
    evidence.searched_bytes += len(data)
    kind = find(data)
    if kind is not None:
        evidence.leaks[kind, place, part] += 1


def _headers(message: Message) -> Iterator[tuple[str, str]]:
    for name, value in headers_of(message):
        yield name, value.decode("ascii", "replace")


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _ids(stage: Stage, event: Event, topic_id: bytes, message: Message) -> dict[str, str]:
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None:
        return {}
    block = event_block(topic_hash(topic_id), partition, offset)
    purposes = stage.contract.purposes
    return {
        view.topic: stage.keyring.subkeys_at(purposes[view.purpose], message.timestamp()[1]).event_ids(block).hex()
        for view in event.views
    }


def _keep(example: Example, topic: str, message: Message) -> None:
    headers = dict(_headers(message))
    if topic in example.ids and headers.get("ce_id") == example.ids[topic] and headers["ce_type"] == example.event.name:
        key = message.key()
        example.after.append(
            After(
                topic, key if isinstance(key, bytes) else None, _bytes(message.value()), headers, message.timestamp()[1]
            )
        )
