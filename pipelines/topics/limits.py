"""The brokers' limits that writing and remembering rest on: how large, how long, how many. Pure.

Two kinds. A *topic's* limit is written on a new topic, and raised on a topic where a smaller one is in force; a larger
one stays as it is. No topic can override a *broker's* limit: a person has to change it, so plan and verify name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.contract.model import Contract
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from pipelines.topics.state import MESSAGE_BYTES, SEGMENT_BYTES, ClusterState, Held

BROKERS: Final = "(brokers)"
"""Stands where a topic's name would, when all topics are concerned. No topic can have this name."""
BATCH_BYTES: Final = 1_048_588
"""Kafka's default `message.max.bytes`: what new topics get at least."""
LEAST_BYTES: Final = 1_000_012
"""The largest batch that clients here make (librdkafka's `message.max.bytes` and its framing); Kafka's old default."""
MOST_RAW_BYTES: Final = 4 << 20
"""The largest `max.message.bytes` of a raw topic without a risk: a worker holds a whole batch, whatever its own limits
are, and plans with 4 MiB (`relay.limits`)."""

_MINUTE_MS: Final = 60_000
_TOPIC: Final[Mapping[str, str]] = {
    MESSAGE_BYTES: "brokers refuse larger batches of records (MSG_SIZE_TOO_LARGE), and nothing is written",
    SEGMENT_BYTES: "brokers refuse batches larger than a segment (RECORD_LIST_TOO_LARGE), and nothing is written",
}


@dataclass(frozen=True, slots=True)
class BrokerLimit:
    """A limit of the brokers' own: the least it must be for a contract, and what fails where it is smaller."""

    name: str
    least: Callable[[Contract], int]
    why: str


def _raw_minutes(contract: Contract) -> int:
    longest_ms = max((raw.ttl_ms for raw in contract.raw_topics.values()), default=0)
    return -(-longest_ms // _MINUTE_MS)


BROKER_LIMITS: Final = (
    BrokerLimit(
        "transaction.max.timeout.ms",
        lambda _contract: TRANSACTION_TIMEOUT_MS,
        "the workers' transactions are refused (INVALID_TRANSACTION_TIMEOUT)",
    ),
    BrokerLimit(
        "offset.metadata.max.bytes",
        lambda _contract: 4096,
        "the workers' counts do not fit beside their offsets (OFFSET_METADATA_TOO_LARGE), and nothing is committed",
    ),
    BrokerLimit(
        "offsets.retention.minutes",
        _raw_minutes,
        "offsets and counts of workers that stop for so long are forgotten while raw events are still there, which are "
        "then relayed twice",
    ),
)


@dataclass(frozen=True, slots=True)
class TooSmall:
    """A limit in force that is too small, the least that it must be, and what fails."""

    name: str
    held: Held
    least: int
    why: str

    def __str__(self) -> str:
        return f"{self.name} is {self.held.value}, at least {self.least} is needed: {self.why}"


def too_small(topic: str, state: ClusterState) -> Iterator[TooSmall]:
    """The limits in force for an existing topic that are too small, with the smallest value of each."""
    for name, why in _TOPIC.items():
        held = min(state.in_force(topic, name), key=lambda each: int(each.value), default=None)
        if held is not None and int(held.value) < LEAST_BYTES:
            yield TooSmall(name, held, LEAST_BYTES, why)


def raised(topic: str, state: ClusterState) -> dict[str, str]:
    """The limits that a plan writes on a topic: on a new one all of them, else those that are too small."""
    if topic in state.topics:
        return {each.name: str(BATCH_BYTES) for each in too_small(topic, state)}
    found = {}
    for name in _TOPIC:
        larger = [int(held.value) for held in state.inherited(name)]
        found[name] = str(max(BATCH_BYTES, *larger) if larger else BATCH_BYTES)
    return found


def brokers_too_small(contract: Contract, state: ClusterState) -> Iterator[TooSmall]:
    """The brokers' own limits that are too small for a contract. One that a broker does not tell is passed over."""
    for limit in BROKER_LIMITS:
        held = min(state.inherited(limit.name), key=lambda each: int(each.value), default=None)
        if held is not None and int(held.value) < limit.least(contract):
            yield TooSmall(limit.name, held, limit.least(contract), limit.why)


LIMITS: Final = frozenset(_TOPIC)
"""The topics' limits by name."""
