"""Whether a contender's output is what it should be: every record, with its key, headers and time, and nothing else.

What should come out is computed by the fastavro reference, for each distinct event of the pool once, and by the
project's own description of the envelope. Only the partition that a record lies in is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from bench.job import Job, number_of
from pipelines.broker import Cluster, Message, headers_of, records
from pipelines.contract.model import View
from pipelines.keys import event_block, topic_hash
from pipelines.minimize.program import Minimized
from pipelines.minimize.reference import minimize_event

# A hash of (purpose, key, value, headers, time): equal records have equal ones within a process.
Seen = Counter[int]


def copies(cluster: Cluster, raw_topic: str, topics: int) -> Seen:
    """What the pass-through must write: the events' bytes, once a topic."""
    values = Counter(hash(message.value()) for message in records(cluster, raw_topic))
    return Counter({value: times * topics for value, times in values.items()})


def copied(cluster: Cluster, topics: Mapping[str, View]) -> tuple[Seen, int]:
    """What it wrote, and how many bytes in keys and values."""
    seen, size = Seen(), 0
    for topic in topics:
        for message in records(cluster, topic):
            seen[hash(message.value())] += 1
            size += len(message)
    return seen, size


def obligations(job: Job, cluster: Cluster, raw_topic: str, raw_topic_id: bytes) -> Seen:
    """What every other contender must write."""
    seen, short = Seen(), topic_hash(raw_topic_id)
    raws = list(records(cluster, raw_topic))
    for index, view in enumerate(job.event.views):
        # Times of the pool lie near those of its records, so any record's time limits all of them alike.
        values = [_reference(job, index, value, raws[0].timestamp()[1]) for _, value in job.pool] if raws else []
        for message in raws:
            seen[hash(_record(job, view, message, short, values))] += 1
    return seen


def written(cluster: Cluster, topics: Mapping[str, View]) -> tuple[Seen, int]:
    """What came out, and how many bytes in keys and values."""
    seen, size = Seen(), 0
    for topic, view in topics.items():
        for message in records(cluster, topic):
            headers = tuple(sorted(headers_of(message)))
            seen[hash((view.purpose, message.key(), message.value(), headers, message.timestamp()[1]))] += 1
            size += len(message)
    return seen, size


def headers_for(
    job: Job, view: View, broker_ms: int, event_id: bytes, key: bytes | None
) -> Iterator[tuple[str, bytes]]:
    """The headers of a minimized record (`design`: wire formats)."""
    purpose = job.contract.purposes[view.purpose]
    ttl_ms = next(topic.ttl_ms for topic in job.contract.topics.values() if topic.purpose == view.purpose)
    yield "ce_id", event_id
    yield "ce_specversion", b"1.0"
    yield "ce_source", job.event.source.encode()
    yield "ce_type", job.event.name.encode()
    yield "content-type", b"application/avro"
    yield "ce_purpose", view.purpose.encode()
    yield "ce_policyversion", job.contract.policy_version.encode()
    if key is not None:
        yield "ce_handleepoch", _iso(broker_ms // purpose.rotate_ms * purpose.rotate_ms)
    yield "ce_expirytime", _iso(broker_ms // view.step_ms * view.step_ms + ttl_ms)


def _record(job: Job, view: View, message: Message, short: bytes, values: list[tuple[bytes, bytes | None]]) -> object:
    purpose, broker_ms = job.contract.purposes[view.purpose], message.timestamp()[1]
    value, identifier = values[number_of(message.value() or b"") % len(values)]
    subkeys = job.keys.subkeys_at(purpose, broker_ms)
    key = None
    if identifier is not None and purpose.handle is not None:
        key = subkeys.handle_maker(purpose.handle)(job.identifier(message.value() or b"", identifier))
        value = value.replace(_PLACE, key)
    block = event_block(short, message.partition() or 0, message.offset() or 0)
    event_id = subkeys.event_ids(block).hex().encode()
    headers = tuple(sorted(headers_for(job, view, broker_ms, event_id, key)))
    return view.purpose, key, value, headers, broker_ms // view.step_ms * view.step_ms


_PLACE = b"<-a handle's way"


def _reference(job: Job, index: int, value: bytes, broker_ms: int) -> tuple[bytes, bytes | None]:
    """A view's value with a mark where the handle will be, and the identifier that the handle is of."""
    held: list[bytes] = []

    def handler(identifier: bytes) -> bytes:
        held.append(identifier)
        return _PLACE

    outcome = minimize_event(
        job.event, value, [handler if at == index else None for at in range(len(job.event.views))], broker_ms
    )[index]
    if not isinstance(outcome, Minimized):
        raise SystemExit("the reference does not accept an event of the pool")
    return outcome.value, held[0] if held else None


def _iso(timestamp_ms: int) -> bytes:
    return datetime.fromtimestamp(timestamp_ms // 1000, UTC).isoformat().replace("+00:00", "Z").encode()
