"""Planning: what has to change so that a cluster's topics keep a contract's promises. Pure: contract and state in.

A plan has three parts. `steps` are what `apply` does, and all it does. `entries` say of each topic that changes what a
reviewer asks: how long before and after, who reads it from now on. `notices` are what no step fixes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from pipelines.contract.model import Contract
from pipelines.retention import FOREVER_MS, BrokerTimes, TooShort, TopicSettings, settled_after_ms
from pipelines.topics.judging import ahead_ms, judge, lives_ms
from pipelines.topics.latecomers import HeldBack, attainable, gone_after_ms, held_back, outlived
from pipelines.topics.limits import raised
from pipelines.topics.notices import Notice, around, of_topic
from pipelines.topics.promise import Promise, promises, replicas
from pipelines.topics.record import audience
from pipelines.topics.state import DELETE_DELAY, USUAL, ClusterState, unlimited
from pipelines.topics.steps import Step, after, creating, setting, spreading


class Danger(IntEnum):
    """Why a reviewer should look, the most dangerous first."""

    LONGER = 0
    CONSUMER = 1
    PURPOSE = 2
    PARTITIONS = 3
    REST = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """What changes for one topic. Spans are ms; None is "not there" or "not known".

    `ttl_before_ms` is the promise that was applied last; `worst_before_ms` what the settings in force really keep.
    `settled_after_ms` says for how long after its last step older segments may keep the promise from being kept; None
    if it is kept at once. `held` is what grows later, when what came late is gone.
    """

    topic: str
    dangers: tuple[Danger, ...]
    ttl_before_ms: int | None
    ttl_ms: int
    worst_before_ms: int | None
    worst_ms: int | None
    partitions_before: int | None
    partitions: int
    new_consumers: tuple[str, ...]
    gone_consumers: tuple[str, ...]
    settled_after_ms: int | None
    held: HeldBack | None
    steps: tuple[Step, ...]

    @property
    def is_new(self) -> bool:
        """Whether the topic is to be made."""
        return self.worst_before_ms is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to the topics of a cluster in this state, so that they keep the contract of this digest (hex)."""

    contract: str
    state: ClusterState
    entries: tuple[Entry, ...]
    steps: tuple[Step, ...]
    notices: tuple[Notice, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to apply."""
        return not self.steps


def plan(contract: Contract, state: ClusterState) -> Plan:
    """Everything that has to be done, the most dangerous first, and everything that a person has to know."""
    purposes = _known_purposes(contract, state)
    found = [_entry(promise, state, purposes) for promise in promises(contract)]
    entries = sorted((each for each in found if each is not None), key=_danger)
    unconfirmed = any(late.until_ms is None for late in state.latecomers.values())
    recording = not state.hides_record and (state.recorded != audience(contract) or unconfirmed)
    steps = [step for each in _in_order(contract, entries) for step in each.steps]
    if steps or recording:
        steps.append(Step("record", contract.changes.name, {}, {}))
    notices = [notice for promise in promises(contract) for notice in of_topic(promise, state)]
    return Plan(contract.digest.hex(), state, tuple(entries), tuple(steps), (*notices, *around(contract, state)))


def _danger(entry: Entry) -> tuple[Danger, int, str]:
    return entry.dangers[0], -len(entry.dangers), entry.topic


def _in_order(contract: Contract, entries: list[Entry]) -> list[Entry]:
    """The topic of changes first, then what shortens lives, what is made, and what lengthens lives last."""

    def order(entry: Entry) -> tuple[bool, bool, str]:
        return entry.topic != contract.changes.name, Danger.LONGER in entry.dangers, entry.topic

    return sorted(entries, key=order)


def _entry(promise: Promise, state: ClusterState, purposes: frozenset[str]) -> Entry | None:
    topic = state.topics.get(promise.topic)
    steps = tuple(_steps(promise, state))
    before = None if state.recorded is None else state.recorded.get(promise.topic)
    new, gone = _consumers(promise, state)
    lived = None if topic is None else lives_ms(promise, state)
    then = _then(promise, state, steps)
    lives = None if then is None else lives_ms(promise, then)
    held = held_back(promise, state)
    if not (steps or new or gone or held) and (before is None or before.ttl_ms == promise.ttl_ms):
        return None
    dangers = (
        (Danger.LONGER, lived is not None and lives is not None and lives > lived),
        (Danger.CONSUMER, bool(new)),
        (Danger.PURPOSE, promise.purpose is not None and promise.purpose not in purposes),
        (Danger.PARTITIONS, any(step.kind == "partitions" for step in steps)),
    )
    return Entry(
        promise.topic,
        tuple(danger for danger, applies in dangers if applies) or (Danger.REST,),
        None if before is None else before.ttl_ms,
        promise.ttl_ms,
        lived,
        lives,
        None if topic is None else topic.partitions,
        promise.partitions,
        new,
        gone,
        _settled_after(promise, state, then),
        held,
        steps,
    )


def _then(promise: Promise, state: ClusterState, steps: tuple[Step, ...]) -> ClusterState | None:
    """The state when the steps are made; None when there is still no such topic, as it cannot be made."""
    topic = state.topics.get(promise.topic)
    for step in steps:
        topic = after(topic, step)
    return None if topic is None else replace(state, topics={**state.topics, promise.topic: topic})


def _settled_after(promise: Promise, now: ClusterState, then: ClusterState | None) -> int | None:
    if then is None or promise.topic not in now.topics or lives_ms(promise, then) > promise.ttl_ms:
        return None
    delay_ms = max(unlimited(each.longest(promise.topic, DELETE_DELAY).value) for each in (now, then))
    times, kept = replace(now.times, delete_delay_ms=delay_ms), then.kept(promise.topic)
    waits = [_segments_settled_after(promise, now, kept, times)]
    waits += [gone_after_ms(promise, then)] if outlived(promise, now, then) else []
    return max((wait for wait in waits if wait is not None), default=None)


def _segments_settled_after(promise: Promise, now: ClusterState, kept: TopicSettings, times: BrokerTimes) -> int | None:
    """For how long segments that were begun before may span too much; None if none does."""
    breaches = list(judge(promise, now))
    mixed = any(breach.code in {"clock", "cleanup"} for breach in breaches)
    if not mixed and not any(breach.code == "retention" for breach in breaches):
        return None
    before = now.kept(promise.topic)
    # Under another clock, or compacted, a segment holds records of any age up to the change.
    spanned = FOREVER_MS if mixed else before.segment_ms
    return settled_after_ms(TopicSettings(before.retention_ms, spanned), kept, times, ahead_ms=ahead_ms(promise, now))


def _steps(promise: Promise, state: ClusterState) -> Iterator[Step]:
    wanted = attainable(promise, state)
    if isinstance(wanted, TooShort):
        return
    topic = state.topics.get(promise.topic)
    if topic is None:
        yield creating(promise, {**wanted, **raised(promise.topic, state)}, replicas(len(state.brokers))[0])
        return
    yield from setting(promise.topic, {**wanted, **raised(promise.topic, state)}, state)
    yield from spreading(promise, topic)


def _consumers(promise: Promise, state: ClusterState) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who is new, and who is gone, as far as ACLs or the last applied contract tell; of a new topic, all are new."""
    wanted = set(promise.consumers)
    if promise.topic not in state.topics:
        return tuple(sorted(wanted)), ()
    if state.recorded is None and state.readers is None:
        return (), ()
    before = (state.recorded or {}).get(promise.topic)
    known = set(() if before is None else before.consumers)
    readers = set((state.readers or {}).get(promise.topic, ()))
    new = set() if "*" in readers else wanted - known - readers
    return tuple(sorted(new)), tuple(sorted(known - wanted))


def _known_purposes(contract: Contract, state: ClusterState) -> frozenset[str]:
    """The purposes that were applied before; where that is not known, those that have a topic."""
    named = {promise.topic: promise.purpose for promise in promises(contract)}
    topics = state.topics if state.recorded is None else state.recorded
    others = [name for name in topics if name not in named]
    return frozenset(
        [purpose for name, purpose in named.items() if purpose is not None and name in topics]
        + [name.partition(".")[2] for name in others]
    )


def offline(contract: Contract, brokers: int, initial_delay_ms: int) -> Plan:
    """The desired state: the plan for a cluster of so many brokers with Kafka's own settings, and no topic."""
    return plan(contract, ClusterState(dict.fromkeys(range(1, brokers + 1), USUAL), {}, initial_delay_ms))
