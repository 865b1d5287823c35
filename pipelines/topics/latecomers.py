"""Latecomers: records that came when they were older than records may come now, and what must wait for them. Pure.

A shorter `late` (or step) leaves more of the TTL to `retention.ms`. But Kafka gives as much more to records that are
there already, and of those some came by the old `late`: they would live longer than they were promised. So the limit on
what comes is cut first, and what would let latecomers live too long is held back until the last of them is gone.

What is known of them stands in the record of changes. What the record does not tell is taken for the worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipelines.contract.model import Contract
from pipelines.retention import FOREVER_MS, BrokerTimes, TooShort, latecomers_gone_ms
from pipelines.topics.judging import ahead_ms, bounded_ms
from pipelines.topics.promise import Clock, Promise, allowance_ms, promises, settings
from pipelines.topics.recorded import Recorded
from pipelines.topics.state import DELETE_DELAY, OLDEST, RETENTION, SEGMENT, ClusterState, Latecomers, unlimited
from pipelines.topics.steps import Step, after, grows

_WAITING: Final = (RETENTION, SEGMENT, DELETE_DELAY)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A growth of a topic's settings that waits.

    It waits until `until_ms` (ms since 1970); or, where that is not known yet, for `wait_ms` after the plan is applied.
    What it waits for came at most `oldest_ms` after its own time; without end, if nothing is known of that.
    """

    settings: Mapping[str, str]
    oldest_ms: int
    until_ms: int | None
    wait_ms: int

    @property
    def why(self) -> str:
        """Why it waits, in a sentence."""
        if self.oldest_ms >= FOREVER_MS:
            return "Nothing is recorded of how late records came, and latecomers would outlive their TTL."
        return "What came later than it may from now on would outlive its TTL."


def known(promise: Promise, state: ClusterState) -> Latecomers | None:
    """The latecomers that a topic may hold: those that are known, and what it lets in until the plan is applied."""
    if promise.clock is Clock.BROKER or promise.topic not in state.topics:
        return None
    computed, listed = settings(promise, state.times, len(state.brokers)), state.latecomers.get(promise.topic)
    now_ms = unlimited(state.longest(promise.topic, OLDEST).value)
    if isinstance(computed, TooShort) or now_ms <= int(computed[OLDEST]):
        return listed
    return Latecomers(now_ms if listed is None else max(now_ms, listed.oldest_ms), None)


def attainable(promise: Promise, state: ClusterState) -> dict[str, str] | TooShort:
    """The settings that a topic can have now: as computed, but for what has to wait for latecomers.

    Those then live no longer than promised; or, if they do already, no longer than they would have.
    """
    computed, late = settings(promise, state.times, len(state.brokers)), known(promise, state)
    if isinstance(computed, TooShort) or late is None or _lives_ms(promise, state, computed, late) <= promise.ttl_ms:
        return computed
    own = state.topics[promise.topic].settings
    growing = {name for name in _WAITING if grows(promise.topic, name, computed[name], state)}
    staying = {name: own.get(name) if name in growing else value for name, value in computed.items()}
    stay = {name: value for name, value in staying.items() if value is not None}
    came_ms = late.oldest_ms - allowance_ms(state.times)
    less = settings(replace(promise, late_ms=max(0, came_ms), step_ms=0), state.times, len(state.brokers))
    if isinstance(less, TooShort) or _lives_ms(promise, state, less, late) <= _lives_ms(promise, state, stay, late):
        return stay
    return {**less, OLDEST: computed[OLDEST]}


def held_back(promise: Promise, state: ClusterState) -> HeldBack | None:
    """What waits; None when nothing does."""
    computed, now = settings(promise, state.times, len(state.brokers)), attainable(promise, state)
    late = known(promise, state)
    if isinstance(computed, TooShort) or isinstance(now, TooShort) or late is None or now == computed:
        return None
    waiting = {name: value for name, value in computed.items() if now.get(name) != value}
    wait_ms = gone_after_ms(promise, _with(state, promise.topic, now))
    until_ms = None if late.until_ms is None else late.until_ms + wait_ms
    return HeldBack(waiting, late.oldest_ms, until_ms, wait_ms)


def outlived(promise: Promise, state: ClusterState, then: ClusterState) -> bool:
    """Whether latecomers live longer than promised, also once a plan made this state to that one."""
    late = known(promise, state)
    return late is not None and bounded_ms(promise, then, **{OLDEST: late.oldest_ms}) > promise.ttl_ms


def harmed(contract: Contract, state: ClusterState, steps: Sequence[Step]) -> list[str]:
    """The topics whose latecomers these steps would let outlive their TTL, though they would not without them."""
    found = []
    for promise in promises(contract):
        late, then = known(promise, state), state.topics.get(promise.topic)
        for step in steps:
            then = after(then, step) if step.topic == promise.topic else then
        if late is None or then is None:
            continue
        lives_ms = bounded_ms(
            promise, replace(state, topics={**state.topics, promise.topic: then}), **{OLDEST: late.oldest_ms}
        )
        if lives_ms > max(promise.ttl_ms, bounded_ms(promise, state, **{OLDEST: late.oldest_ms})):
            found.append(promise.topic)
    return found


def gone_after_ms(promise: Promise, state: ClusterState) -> int:
    """How long after the last of them came all latecomers of an existing topic are gone (ms)."""
    delay_ms = unlimited(state.longest(promise.topic, DELETE_DELAY).value)
    times: BrokerTimes = replace(state.times, delete_delay_ms=max(delay_ms, state.times.delete_delay_ms))
    return latecomers_gone_ms(state.kept(promise.topic), times, ahead_ms=ahead_ms(promise, state))


def left_behind(contract: Contract, state: ClusterState) -> dict[str, Latecomers]:
    """The latecomers that the topics may hold; None: they came until now."""
    found = {promise.topic: known(promise, state) for promise in promises(contract)}
    return {topic: late for topic, late in found.items() if late is not None}


def lets_in(contract: Contract, state: ClusterState) -> dict[str, int]:
    """The topics whose records bring their own time, and how old each lets them in (ms)."""
    return {
        promise.topic: unlimited(state.longest(promise.topic, OLDEST).value)
        for promise in promises(contract)
        if promise.clock is Clock.RECORD and promise.topic in state.topics
    }


def still_there(contract: Contract, state: ClusterState, said: Recorded, now_ms: int) -> dict[str, Latecomers]:
    """The latecomers that may be in the topics at a time, by what the record says; untold ones came however old.

    Where a topic lets in other records than the record says, somebody changed it, and nobody knows when.
    """
    found = {}
    for promise in promises(contract):
        topic = promise.topic
        if promise.clock is Clock.BROKER or topic not in state.topics:
            continue
        now = unlimited(state.longest(topic, OLDEST).value)
        then = said.lets_in.get(topic, FOREVER_MS)
        late = said.latecomers.get(topic)
        if late is not None and late.until_ms is not None and late.until_ms + gone_after_ms(promise, state) <= now_ms:
            late = None
        unsure = [said.unconfirmed[topic]] if topic in said.unconfirmed else []
        unsure += [then] if then != now else []
        if unsure:
            late = Latecomers(max(*unsure, 0 if late is None else late.oldest_ms), None)
        if late is not None:
            found[topic] = late
    return found


def _lives_ms(promise: Promise, state: ClusterState, wanted: Mapping[str, str], late: Latecomers) -> int:
    """How long a latecomer lives at most under wanted settings."""
    return bounded_ms(promise, _with(state, promise.topic, wanted), **{OLDEST: late.oldest_ms})


def _with(state: ClusterState, topic: str, wanted: Mapping[str, str]) -> ClusterState:
    now = state.topics[topic]
    return replace(state, topics={**state.topics, topic: replace(now, settings={**now.settings, **wanted})})
