"""What the contract promises of each topic, and the settings under which Kafka keeps it. Pure.

The settings are all written down on the topic, also where they equal the broker's default, so that a later change of a
default cannot break a promise. Raw topics are `UNPACKED`: the broker unpacks what producers compress, so that
`max.message.bytes` limits what a batch unpacks to in a worker (decision 0118). Elsewhere compression is left to the
producers, except where the contract names a codec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pipelines import retention
from pipelines.contract.model import HOUR_MS, Contract
from pipelines.retention import BrokerTimes, TooShort

MOST_REPLICAS: Final = 3
_DEFAULT_STEP_MS: Final = HOUR_MS
UNPACKED: Final = "uncompressed"
"""The value of `compression.type` under which brokers store batches unpacked, however producers sent them."""


class Clock(StrEnum):
    """Whose clock a topic's timestamps come from, as `message.timestamp.type` spells it."""

    BROKER = "LogAppendTime"
    RECORD = "CreateTime"


@dataclass(frozen=True, slots=True)
class Promise:
    """What a topic must be.

    `late_ms` and `step_ms` are 0 where the TTL counts from the append to the topic itself (raw, quarantine, changes).
    `purpose` is None for a topic that nobody reads for a purpose, `compression` where the setting is left as it is.
    """

    topic: str
    partitions: int
    ttl_ms: int
    late_ms: int
    step_ms: int
    clock: Clock
    consumers: tuple[str, ...] = ()
    purpose: str | None = None
    compression: str | None = None


def promises(contract: Contract) -> Iterator[Promise]:
    """One for each topic of the contract: raw, minimized, quarantine, changes."""
    for raw in contract.raw_topics.values():
        yield Promise(raw.name, raw.partitions, raw.ttl_ms, 0, 0, Clock.BROKER, compression=UNPACKED)
    steps: dict[str, int] = {}
    for event in contract.events.values():
        for view in event.views:
            steps[view.topic] = max(view.step_ms, steps.get(view.topic, 0))
    for topic in contract.topics.values():
        step_ms = steps.get(topic.name, _DEFAULT_STEP_MS)
        spans = (topic.ttl_ms, topic.late_ms, step_ms)
        readers = (topic.consumers, topic.purpose)
        yield Promise(topic.name, topic.partitions, *spans, Clock.RECORD, *readers, topic.compression)
    noted, changes = contract.quarantine, contract.changes
    yield Promise(noted.name, noted.partitions, noted.ttl_ms, 0, 0, Clock.BROKER, noted.consumers)
    yield Promise(changes.name, 1, changes.ttl_ms, 0, 0, Clock.BROKER, changes.consumers)


def replicas(brokers: int) -> tuple[int, int]:
    """How many replicas a topic gets on so many brokers, and how many must have a record before it counts."""
    replication = min(MOST_REPLICAS, brokers)
    return replication, max(1, replication - 1)


def settings(promise: Promise, times: BrokerTimes, brokers: int) -> dict[str, str] | TooShort:
    """The topic's settings; `TooShort` when no settings keep the TTL on brokers with these delays."""
    keeping = retention.minimized(promise.ttl_ms, promise.late_ms, promise.step_ms, times)
    if isinstance(keeping, TooShort):
        return keeping
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": promise.clock.value,
        **_timestamp_limits(promise, times),
        "retention.ms": str(keeping.retention_ms),
        "segment.ms": str(keeping.segment_ms),
        "segment.jitter.ms": "0",
        "file.delete.delay.ms": str(times.delete_delay_ms),
        "min.insync.replicas": str(replicas(brokers)[1]),
        "unclean.leader.election.enable": "false",
        **({} if promise.compression is None else {"compression.type": promise.compression}),
    }


def _timestamp_limits(promise: Promise, times: BrokerTimes) -> Mapping[str, str]:
    # The broker's own clock needs no limits. A record's own time is a raw broker time, floored: one that lies ahead by
    # more than clocks differ would outlive its TTL, and one that is older than the relay may be late is not to enter.
    if promise.clock is Clock.BROKER:
        return {}
    return {
        "message.timestamp.after.max.ms": str(times.slack_ms),
        "message.timestamp.before.max.ms": str(promise.late_ms + promise.step_ms + allowance_ms(times)),
    }


def allowance_ms(times: BrokerTimes) -> int:
    """How much older than late and step a record may be when it is appended, and still be let in."""
    return times.transaction_timeout_ms + times.sweep_ms + times.slack_ms
