"""How the topics of a cluster stand to the contract's promises. Pure: judges a `ClusterState`, asks nobody.

A `Breach` means that a promise does not hold; the relay refuses to start on one. A `Difference` is a setting that is
not the computed one and yet breaks nothing (a shorter retention, say).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pipelines import retention
from pipelines.contract.model import Contract
from pipelines.retention import BrokerTimes, TooShort
from pipelines.topics.limits import BROKERS, brokers_too_small, too_small
from pipelines.topics.promise import Clock, Promise, allowance_ms, promises, settings
from pipelines.topics.spans import lasting, span
from pipelines.topics.state import (
    AHEAD,
    CHECK_INTERVAL,
    CLEANUP,
    CLOCK,
    DELETE_DELAY,
    LENGTHS,
    OLDEST,
    RETENTION,
    SEGMENT,
    TIERED,
    ClusterState,
    Held,
    unlimited,
)

PLAN: Final = "pipelines topics plan --out plan.json && pipelines topics apply plan.json"
"""Sets what a topic should have."""

CREATE: Final = "pipelines topics apply"


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that does not hold.

    `code` is one of a closed set. `settings` are those to blame, each with its values in force and where they come
    from. `remedy` is what an operator does about it; `command` does it, where a command can.
    """

    topic: str
    code: str
    message: str
    remedy: str
    settings: Mapping[str, str]
    command: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.message}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of a topic's own that is not the computed one, and breaks no promise."""

    topic: str
    setting: str
    live: str
    computed: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.live or 'not set'}, computed is {self.computed}"


def judged(contract: Contract, state: ClusterState) -> list[Breach]:
    """Every promise that the topics do not keep; empty when all is well."""
    of_topics = (breach for promise in promises(contract) for breach in judge(promise, state))
    return [*of_brokers(contract, state), *of_topics]


def of_brokers(contract: Contract, state: ClusterState) -> Iterator[Breach]:
    """The breaches that no topic's settings can heal."""
    for each in brokers_too_small(contract, state):
        remedy = f"Set {each.name}={each.least} or more in every broker's server.properties, and restart the brokers."
        yield Breach(BROKERS, "broker-limit", str(each), remedy, {each.name: str(each.held)}, "")


def judge(promise: Promise, state: ClusterState) -> Iterator[Breach]:
    """The breaches of one topic."""
    topic = state.topics.get(promise.topic)
    if topic is None:
        yield Breach(promise.topic, "missing", "there is no such topic", f"Run `{CREATE}`.", {}, CREATE)
        return
    if topic.partitions is not None and topic.partitions != promise.partitions:
        more = topic.partitions < promise.partitions
        yield Breach(
            promise.topic,
            "partitions",
            f"it has {topic.partitions} partitions, the contract says {promise.partitions}",
            "Say in topics.yaml what is true, or add partitions (a device's or handle's records then change theirs).",
            {},
            PLAN if more else "",
        )
    yield from _wrong(promise, state)
    yield from _too_long(promise, state)
    for each in too_small(promise.topic, state):
        remedy = f"Set {each.name}={each.least} or more."
        yield Breach(promise.topic, "size", str(each), remedy, {each.name: str(each.held)}, PLAN)


def differences(promise: Promise, state: ClusterState) -> Iterator[Difference]:
    """The settings of an existing topic that are not set as computed, whether or not they break a promise."""
    topic, computed = state.topics.get(promise.topic), settings(promise, state.times, len(state.brokers))
    if topic is None or isinstance(computed, TooShort):
        return
    for name, value in computed.items():
        if topic.settings.get(name) != value:
            yield Difference(promise.topic, name, topic.settings.get(name, ""), value)


def harmless(promise: Promise, state: ClusterState, breaches: Iterable[Breach]) -> Iterator[Difference]:
    """The differences of one topic that these breaches have nothing to do with."""
    own = [breach for breach in breaches if breach.topic == promise.topic]
    blamed = {name for breach in own for name in breach.settings}
    too_long = any(breach.code == "retention" for breach in own)
    for each in differences(promise, state):
        # What is longer than computed has a part in a life that is too long, also where another setting is to blame.
        has_part = (
            too_long
            and each.setting in LENGTHS
            and unlimited(state.longest(promise.topic, each.setting).value) > int(each.computed)
        )
        if each.setting not in blamed and not has_part:
            yield each


def lives_ms(promise: Promise, state: ClusterState) -> int:
    """The longest that a record of an existing topic can live under what is in force: forever, if it is compacted.

    Compaction merges segments, so that an old record may share one with a new record, again and again.
    """
    deletes = all(held.value == "delete" for held in state.in_force(promise.topic, CLEANUP))
    local = all(held.value == "false" for held in state.in_force(promise.topic, TIERED))
    return bounded_ms(promise, state) if deletes and local else retention.FOREVER_MS


def bounded_ms(promise: Promise, state: ClusterState, **instead: int) -> int:
    """How long a record of an existing topic lives as far as times go, with some settings as given (ms).

    A record comes as late as its topic lets it in, whatever the contract says of the relay: brokers keep promises.
    """
    topic = promise.topic

    def longest(name: str) -> int:
        return instead[name] if name in instead else unlimited(state.longest(topic, name).value)

    times = BrokerTimes(
        check_interval_ms=instead.get(CHECK_INTERVAL, state.times.check_interval_ms),
        initial_delay_ms=state.initial_delay_ms,
        delete_delay_ms=longest(DELETE_DELAY),
        sweep_ms=state.times.sweep_ms,
    )
    ahead = 0 if ahead_ms(promise, state) == 0 else longest(AHEAD)
    came_ms = promise.late_ms + promise.step_ms
    if promise.clock is Clock.RECORD:
        came_ms = max(came_ms, longest(OLDEST) - allowance_ms(times))
    return retention.worst_case_ms(longest(RETENTION), longest(SEGMENT), came_ms, 0, times, ahead_ms=ahead)


def ahead_ms(promise: Promise, state: ClusterState) -> int:
    """How far a record's own time may lie ahead of the broker's; 0 where the broker's is written instead."""
    clocks = {held.value for held in state.in_force(promise.topic, CLOCK)}
    return 0 if clocks == {Clock.BROKER.value} else unlimited(state.longest(promise.topic, AHEAD).value)


def _wrong(promise: Promise, state: ClusterState) -> Iterator[Breach]:
    def wrong(code: str, name: str, right: str, message: str, remedy: str, command: str = PLAN) -> Iterator[Breach]:
        bad = [held for held in state.in_force(promise.topic, name) if held.value != right]
        if bad:
            said = f"{name} is {bad[0].value}{message}"
            yield Breach(promise.topic, code, said, remedy, {name: _said(bad)}, command)

    remedy = f"Set {CLOCK}={promise.clock}."
    if promise.clock is Clock.BROKER:
        remedy += " Records that came meanwhile keep the times they have: look at the oldest with `topics verify`."
    yield from wrong("clock", CLOCK, promise.clock, f", not {promise.clock}", remedy)
    yield from wrong("cleanup", CLEANUP, "delete", ": compaction keeps records", "Set it to delete.")
    yield from wrong(
        "tiered",
        TIERED,
        "false",
        ": tiered storage takes copies off the brokers' disks",
        "Set it to false, and see that the remote copies are gone.",
        f"kafka-configs.sh --alter --entity-type topics --entity-name {promise.topic} "
        "--add-config remote.storage.enable=false,remote.log.delete.on.disable=true",
    )


def _too_long(promise: Promise, state: ClusterState) -> Iterator[Breach]:
    worst_ms = bounded_ms(promise, state)
    # Under the wrong clock records may be ahead; then the clock is to blame, and that is said already.
    blameless_ms = bounded_ms(promise, state, **{AHEAD: 0}) if promise.clock is Clock.BROKER else worst_ms
    if blameless_ms <= promise.ttl_ms:
        return
    computed = settings(promise, state.times, len(state.brokers))
    if isinstance(computed, TooShort):
        remedy, command = f"Promise at least {span(computed.shortest_ttl_ms)}, or shorten {CHECK_INTERVAL}.", ""
    else:
        named = ", ".join(f"{name}={computed[name]}" for name in LENGTHS if name in computed)
        remedy, command = f"Set {named} ({SEGMENT} first).", PLAN
    blamed = {name: _said([state.longest(promise.topic, name)]) for name in _to_blame(promise, state, computed)}
    message = f"a record may stay {lasting(worst_ms)}, the promise is {span(promise.ttl_ms)}"
    yield Breach(promise.topic, "retention", message, remedy, blamed, command)


def _to_blame(promise: Promise, state: ClusterState, computed: Mapping[str, str] | TooShort) -> list[str]:
    """The setting that alone makes the life too long; else all that are longer than computed."""
    usual = replace(state.times, check_interval_ms=BrokerTimes().check_interval_ms)
    before = settings(promise, usual, len(state.brokers))
    own = state.topics[promise.topic].settings
    slow = state.times.check_interval_ms > usual.check_interval_ms
    if slow and not isinstance(before, TooShort) and all(own.get(n) == before[n] for n in LENGTHS if n in before):
        return [CHECK_INTERVAL]  # the topic is what it should be if the brokers looked as often as they usually do
    if isinstance(computed, TooShort):
        return [RETENTION]
    right = {name: int(computed[name]) for name in LENGTHS if name in computed}
    for name, value in right.items():
        if bounded_ms(promise, state, **{name: value}) <= promise.ttl_ms:
            return [name]
    return [name for name, value in right.items() if unlimited(state.longest(promise.topic, name).value) > value]


def _said(held: Iterable[Held]) -> str:
    return ", ".join(map(str, held))
