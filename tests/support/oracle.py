"""What must come out: computed from the raw topics by the reference, record by record, and compared with what did.

Shares no code with the relay or the envelope, and of the walk only its word that an event's bytes are malformed (which
the reference never sees). So a fault in one of those shows as a difference here.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import orjson

from pipelines.broker import TIMESTAMP_CREATE_TIME, Cluster, Message, headers_of, records
from pipelines.contract.model import Contract, Event, View
from pipelines.keys import SubkeySource
from pipelines.minimize import EventProgram, Fault, Handler, compile_event
from pipelines.minimize.reference import minimize_event
from tests.support.waiting import CALL_S

Coordinates = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Record:
    """A minimized record: `digest` covers all that a consumer can see of it but its place."""

    topic: str
    key: bytes | None
    id: bytes
    epoch: bytes
    digest: bytes

    @classmethod
    def of(
        cls, topic: str, key: bytes | None, value: bytes, headers: dict[str, bytes], timestamp: tuple[int, int]
    ) -> Record:
        seen = repr((topic, key, value, list(headers.items()), timestamp)).encode()
        digest = hashlib.blake2b(seen, digest_size=16).digest()
        return cls(topic, key, headers["ce_id"], headers.get("ce_handleepoch", b""), digest)


@dataclass(slots=True)
class Expectation:
    """What the raw topics oblige the relay to. `origin` tells where a record comes from, by (topic, ce_id)."""

    records: Counter[bytes] = field(default_factory=Counter)
    notes: Counter[bytes] = field(default_factory=Counter)
    origin: dict[tuple[str, bytes], Coordinates] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)


def expect(
    contract: Contract,
    cluster: Cluster,
    keys: SubkeySource,
    see: Callable[[Message], None] = lambda _message: None,
    now_ms: Callable[[Coordinates], int] = lambda _place: 0,
) -> Expectation:
    """Read the raw topics and compute what must come out.

    Args:
        see: is shown every raw record on the way.
        now_ms: when an event was judged; a view whose topic's `late` had passed by then gets nothing. By default
            nothing is ever too late.
    """
    expectation = Expectation()

    def count(message: Message) -> None:
        expectation.events[message.topic() or ""] += 1
        see(message)

    for place, output in obligations(contract, cluster, keys, count, now_ms=now_ms):
        if isinstance(output, bytes):
            expectation.notes[output] += 1
        else:
            expectation.records[output.digest] += 1
            expectation.origin[output.topic, output.id] = place
    return expectation


def obligations(
    contract: Contract,
    cluster: Cluster,
    keys: SubkeySource,
    see: Callable[[Message], None],
    partitions: Container[int] | None = None,
    now_ms: Callable[[Coordinates], int] = lambda _place: 0,
) -> Iterator[tuple[Coordinates, Record | bytes]]:
    """What `expect` gathers, one by one: a raw event's place, and a record or a quarantine note that it obliges to.

    With `partitions` only those of the raw topics are computed, so that several processes can share the work.
    """
    topics = cluster.admin(timeout_s=CALL_S).topics(contract.raw_topics)
    for event in contract.events.values():
        guard = compile_event(event)
        topic_hash = hashlib.sha256(topics[event.raw_topic].topic_id).digest()[:4]
        for message in records(cluster, event.raw_topic):
            place = (event.raw_topic, message.partition() or 0, message.offset() or 0)
            if partitions is not None and place[1] not in partitions:
                continue
            see(message)
            for view, outcome in _outcomes(contract, keys, guard, event, message, now_ms(place)):
                if view is None or isinstance(outcome, Fault):
                    assert isinstance(outcome, Fault)
                    yield place, _note(event, message, view, outcome)
                else:
                    value, key = outcome
                    yield place, _record(contract, keys, view, message, topic_hash, value, key)


def committed(
    contract: Contract, cluster: Cluster, see: Callable[[Message], None] = lambda _message: None
) -> tuple[list[Record], list[bytes]]:
    """What did come out: the minimized records, each topic's partitions in their order, and the quarantine notes.

    `see` is shown every one of them on the way.
    """
    minimized, notes = [], []
    for topic in sorted(contract.topics):
        for message in records(cluster, topic):
            see(message)
            minimized.append(seen(message))
    for message in records(cluster, contract.quarantine.name):
        see(message)
        notes += singles(message)
    return minimized, notes


def singles(message: Message) -> list[bytes]:
    """The notes in a record of quarantine, each as if it had been written alone; of anything else, the value."""
    value = _value(message) or b""
    if not value.startswith(b'{"v":2,'):
        return [value]
    document = orjson.loads(value)
    offsets = [offset for first, last in document["offsets"] for offset in range(first, last + 1)]
    assert document["count"] == len(set(offsets)) > 10, "a note counts something else than it lists"
    kind = {name: document[name] for name in ("event", "view", "code", "path")}
    place = {"topic": document["topic"], "partition": document["partition"]}
    return [orjson.dumps({**place, "offset": offset, **kind}) for offset in offsets]


def seen(message: Message) -> Record:
    """A record of a minimized topic, as a consumer sees it."""
    key = message.key()
    assert key is None or isinstance(key, bytes)
    headers = dict(headers_of(message))
    return Record.of(message.topic() or "", key, _value(message) or b"", headers, message.timestamp())


def differences(expectation: Expectation, minimized: Iterable[Record], notes: Iterable[bytes]) -> dict[str, int]:
    """How many records and notes are lost, duplicated or unexplained; empty when the output is exact."""
    found: Counter[str] = Counter()
    got_records = Counter(record.digest for record in minimized)
    for expected, got in ((expectation.records, got_records), (expectation.notes, Counter(notes))):
        found["lost"] += (expected - got).total()
        for item, count in (got - expected).items():
            found["duplicated" if item in expected else "unexplained"] += count
    return {kind: count for kind, count in found.items() if count}


def reordered(expectation: Expectation, minimized: Iterable[Record]) -> int:
    """Records that come before an earlier one of the same raw partition, topic, handle and epoch.

    One that nothing obliges to has no place in any order; `differences` tells of it.
    """
    last: dict[tuple[object, ...], int] = defaultdict(lambda: -1)
    count = 0
    for record in minimized:
        place = expectation.origin.get((record.topic, record.id))
        if record.key is None or place is None:
            continue
        raw_topic, partition, offset = place
        lane = (raw_topic, partition, record.topic, record.key, record.epoch)
        count += offset <= last[lane]
        last[lane] = offset
    return count


def _outcomes(
    contract: Contract, keys: SubkeySource, guard: EventProgram, event: Event, message: Message, now_ms: int
) -> Iterator[tuple[View | None, Fault | tuple[bytes, bytes | None]]]:
    broker_ms = message.timestamp()[1]

    def handler(view: View) -> Handler | None:
        purpose = contract.purposes[view.purpose]
        if now_ms - broker_ms > contract.topics[view.topic].late_ms:
            return None  # too late
        if purpose.review is None or broker_ms >= purpose.review.expires_ms:
            return None  # suspended: nothing is shown to the view
        if purpose.handle is None:
            return lambda _identifier: b""
        return keys.subkeys_at(purpose, broker_ms).handle_maker(purpose.handle)

    handlers = [handler(view) for view in event.views]
    value = _value(message)
    malformed = guard.minimize(value, handlers, broker_ms)
    if isinstance(malformed, Fault):
        if any(handlers):
            yield None, malformed
        return
    assert value is not None
    result = minimize_event(event, value, handlers, broker_ms)
    for view, outcome in zip(event.views, result, strict=True):
        if outcome is not None:
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
    if key is not None:
        headers["ce_handleepoch"] = _iso(broker_ms // purpose.rotate_ms * purpose.rotate_ms)
    headers["ce_expirytime"] = _iso(floored_ms + contract.topics[view.topic].ttl_ms)
    wire = {name: text.encode() for name, text in headers.items()}
    return Record.of(view.topic, key, value, wire, (TIMESTAMP_CREATE_TIME, floored_ms))


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


def _value(message: Message) -> bytes | None:
    value = message.value()
    assert value is None or isinstance(value, bytes)
    return value


@lru_cache(maxsize=4096)
def _iso(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
