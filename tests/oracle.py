"""What must come out: computed from the raw topics by the reference, record by record, and compared with what did.

Shares no code with the relay or the envelope, and of the walk only its word that an event's bytes are malformed (which
the reference never sees). So a fault in one of those shows as a difference here.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from pipelines.broker import Cluster, KafkaError, Message, TopicPartition
from pipelines.contract.model import Contract, Event, Purpose, View
from pipelines.keys import SubkeySource
from pipelines.minimize import EventProgram, Fault, Handler, compile_event
from pipelines.minimize.reference import minimize_event

Coordinates = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Record:
    """All that a consumer can see of a record but its place."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: tuple[int, int]

    @property
    def id(self) -> bytes:
        """The header `ce_id`."""
        return next(value for name, value in self.headers if name == "ce_id")


@dataclass(slots=True)
class Expectation:
    """What the raw topics oblige the relay to. `origin` tells where a record comes from, by (topic, ce_id)."""

    records: Counter[Record] = field(default_factory=Counter)
    notes: Counter[bytes] = field(default_factory=Counter)
    origin: dict[tuple[str, bytes], Coordinates] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)


def read(cluster: Cluster, topic: str, *, isolation: str = "read_committed") -> Iterator[Message]:
    """Every record that the topic holds now, partition after partition."""
    info = cluster.admin().topics([topic])[topic]
    for partition in range(info.partitions):
        consumer = cluster.consumer(**{"isolation.level": isolation, "enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(10)
                assert message is not None, f"no answer from {topic}/{partition}"
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    break
                else:
                    raise AssertionError(error.name())
        finally:
            consumer.close()


def expect(contract: Contract, cluster: Cluster, keys: SubkeySource) -> Expectation:
    """Read the raw topics and compute what must come out; nothing may have expired yet."""
    expectation, topics = Expectation(), cluster.admin().topics(contract.raw_topics)
    for event in contract.events.values():
        guard = compile_event(event)
        topic_hash = hashlib.sha256(topics[event.raw_topic].topic_id).digest()[:4]
        for message in read(cluster, event.raw_topic):
            expectation.events[event.raw_topic] += 1
            for view, outcome in _outcomes(contract, keys, guard, event, message):
                if isinstance(outcome, Fault):
                    expectation.notes[_note(event, message, view, outcome)] += 1
                else:
                    value, key = outcome
                    record = _record(contract, keys, view, message, topic_hash, value, key)
                    expectation.records[record] += 1
                    place = (event.raw_topic, message.partition(), message.offset())
                    expectation.origin[view.topic, record.id] = place
    return expectation


def committed(contract: Contract, cluster: Cluster) -> tuple[list[Record], list[bytes]]:
    """What did come out: the minimized records, each topic's partitions in their order, and the quarantine notes."""
    records = [
        Record(
            topic,
            message.key(),
            message.value() or b"",
            tuple(message.headers() or ()),
            message.timestamp(),
        )
        for topic in sorted(contract.topics)
        for message in read(cluster, topic)
    ]
    return records, [message.value() or b"" for message in read(cluster, contract.quarantine.name)]


def differences(expectation: Expectation, records: Iterable[Record], notes: Iterable[bytes]) -> dict[str, int]:
    """How many records and notes are lost, duplicated or unexplained; empty when the output is exact."""
    found: Counter[str] = Counter()
    for expected, got in ((expectation.records, Counter(records)), (expectation.notes, Counter(notes))):
        for item, count in (expected - got).items():  # type: ignore[operator]
            found["lost"] += count
            _ = item
        for item, count in (got - expected).items():  # type: ignore[operator]
            found["duplicated" if item in expected else "unexplained"] += count
    return dict(found)


def reordered(expectation: Expectation, records: Iterable[Record]) -> int:
    """Records that come before an earlier one of the same raw partition, topic, handle and epoch."""
    last: dict[tuple[object, ...], int] = defaultdict(lambda: -1)
    count = 0
    for record in records:
        if record.key is None:
            continue
        raw_topic, partition, offset = expectation.origin[record.topic, record.id]
        epoch = dict(record.headers)["ce_handleepoch"]
        lane = (raw_topic, partition, record.topic, record.key, epoch)
        count += offset <= last[lane]
        last[lane] = offset
    return count


def _outcomes(
    contract: Contract, keys: SubkeySource, guard: EventProgram, event: Event, message: Message
) -> Iterator[tuple[View | None, Fault | tuple[bytes, bytes | None]]]:
    def handler(purpose: Purpose) -> Handler:
        if purpose.handle is None:
            return lambda _identifier: b""
        return keys.subkeys_at(purpose, message.timestamp()[1]).handle_maker(purpose.handle)

    handlers = [handler(contract.purposes[view.purpose]) for view in event.views]
    malformed = guard.minimize(message.value(), handlers)
    if isinstance(malformed, Fault):
        yield None, malformed
        return
    result = minimize_event(event, message.value(), handlers)
    assert not isinstance(result, Fault)
    for view, outcome in zip(event.views, result, strict=True):
        assert outcome is not None
        yield view, outcome if isinstance(outcome, Fault) else (outcome.value, outcome.key)


def _record(
    contract: Contract,
    keys: SubkeySource,
    view: View,
    message: Message,
    topic_hash: bytes,
    value: bytes,
    key: bytes | None,
) -> Record:
    purpose, broker_ms = contract.purposes[view.purpose], message.timestamp()[1]
    floored_ms = broker_ms // view.step_ms * view.step_ms
    subkeys = keys.subkeys_at(purpose, broker_ms)
    place = (message.partition() or 0).to_bytes(4, "big") + (message.offset() or 0).to_bytes(8, "big")
    headers = {
        "ce_id": subkeys.event_ids(topic_hash + place).hex(),
        "ce_specversion": "1.0",
        "ce_source": view.event.split(".")[0],
        "ce_type": view.event,
        "content-type": "application/avro",
        "ce_purpose": view.purpose,
        "ce_policyversion": contract.digest.hex()[:12],
    }
    if purpose.handle:
        headers["ce_handleepoch"] = _iso(broker_ms // purpose.rotate_ms * purpose.rotate_ms)
    headers["ce_expirytime"] = _iso(floored_ms + contract.topics[view.topic].ttl_ms)
    wire = tuple((name, text.encode()) for name, text in headers.items())
    return Record(view.topic, key, value, wire, (1, floored_ms))


def _note(event: Event, message: Message, view: View | None, fault: Fault) -> bytes:
    document: Mapping[str, object] = {
        "topic": event.raw_topic,
        "partition": message.partition(),
        "offset": message.offset(),
        "event": event.name,
        "view": view.topic if view else None,
        "code": fault.code,
        "path": fault.path,
    }
    return orjson.dumps(document)


def _iso(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
