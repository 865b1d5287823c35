"""Records that came late while they might, under a contract that no longer lets them: they never outlive their TTL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, HOUR_MS, ChangesTopic, Contract, QuarantineTopic, RawTopic, Topic
from pipelines.retention import FOREVER_MS
from pipelines.topics import planning
from pipelines.topics.latecomers import left_behind, lets_in, still_there
from pipelines.topics.planning import plan
from pipelines.topics.promise import settings
from pipelines.topics.record import Done, applied_body, audience, change_body
from pipelines.topics.recorded import Recorded
from pipelines.topics.state import OLDEST, USUAL, ClusterState, Latecomers
from tests.topics.clusters import applied, changed, made
from tests.topics.contracts import BASIS, HERE

NAME = "audit.latecomers"


def contract(ttl_ms: int, late_ms: int) -> Contract:
    minimized = Topic(NAME, ttl_ms, late_ms, 1, (), BASIS, HERE)
    raw = RawTopic("raw.late.session", "late.session", DAY_MS, 1, (), HERE)
    quarantine = QuarantineTopic("quarantine-late", 7 * DAY_MS, 1, (), HERE)
    changes = ChangesTopic("audit.changes-late")
    return Contract({}, {}, {NAME: minimized}, {raw.name: raw}, quarantine, b"late", changes=changes)


@dataclass
class World:
    """A cluster with a clock, its record of changes, and records that are as old as their topic lets them be."""

    ttl_ms: int
    late_ms: int
    now_ms: int = 1_000_000_000_000
    state: ClusterState = field(default_factory=lambda: ClusterState({1: USUAL}, {}))
    said: Recorded = field(default_factory=Recorded)
    history: list[tuple[int, int, int]] = field(default_factory=list)  # when; retention.ms and segment.ms since then
    promised: list[tuple[int, int]] = field(default_factory=list)  # when; the TTL since then
    kept: int = 0  # which of these was applied to its end last
    records: list[tuple[int, int, int]] = field(default_factory=list)  # when it came, how old, under which promise

    def wait(self, span_ms: int) -> None:
        self.write()
        self.now_ms += span_ms
        self.write()

    def write(self) -> None:
        if NAME in self.state.topics:
            self.records.append((self.now_ms, int(self.state.topics[NAME].settings[OLDEST]), self.kept))

    def plan_and_apply(self, most_steps: int) -> None:
        """Plan, and apply until killed; each step is recorded before it is made."""
        promise = contract(self.ttl_ms, self.late_ms)
        self.promised.append((self.now_ms, self.ttl_ms))
        seen = replace(self.state, latecomers=still_there(promise, self.state, self.said, self.now_ms))
        steps = plan(promise, seen).steps
        for step in steps[:most_steps]:
            if step.kind == "record":
                late = still_there(promise, self.state, self.said, self.now_ms)
                behind = left_behind(promise, replace(self.state, latecomers=late))
                done = Done(audience(promise), {}, {}, lets_in(promise, self.state), behind)
                self.said.hear(applied_body(done), self.now_ms)
            else:
                self.said.hear(change_body(step), self.now_ms)
                self.write()
                self.state = made(self.state, step)
                self.write()
        if NAME in self.state.topics:
            kept = self.state.kept(NAME)
            self.history.append((self.now_ms, kept.retention_ms, kept.segment_ms))
        self.state = replace(self.state, recorded=self.said.audience)
        if most_steps >= len(steps):
            self.kept = len(self.promised) - 1

    def lives(self) -> Iterator[tuple[int, int]]:
        """Of each record: the age at which its last byte is gone at worst, and the longest TTL promised meanwhile."""
        times = self.state.times
        for came_ms, age_ms, first in self.records:
            gone_ms = self._found(came_ms) + times.look_ms + times.delete_delay_ms
            ttls = [ttl for at, ttl in self.promised[first:] if at <= gone_ms]
            yield age_ms + gone_ms - came_ms, max(ttls)

    def _found(self, came_ms: int) -> int:
        """When a pass of the retention, finds its segment at the latest, less the wait for a pass."""
        epochs = [each for each in self.history if each[0] > came_ms]
        since = [each for each in self.history if each[0] <= came_ms][-1:]
        spans = [*((came_ms, *each[1:]) for each in since), *epochs]
        newest = came_ms
        for (at, _, segment), until in zip(spans, [*(each[0] for each in spans[1:]), None], strict=True):
            if newest < at:
                break  # it was rolled before
            newest = max(newest, min(came_ms + segment, until) if until is not None else came_ms + segment)
        free = None
        for (at, retention, _), until in zip(spans, [*(each[0] for each in spans[1:]), None], strict=True):
            ripe = max(at, newest + retention)
            if until is not None and ripe >= until:
                free = None
                continue
            free = ripe if free is None or ripe > at else free
            if until is None or until - free >= self.state.times.look_ms:
                return free
        raise AssertionError("the last settings delete everything in the end")


spans = st.one_of(st.integers(0, DAY_MS), st.integers(0, 4 * DAY_MS))
acts = st.lists(
    st.tuples(
        spans, st.integers(0, DAY_MS), st.one_of(st.none(), st.integers(3 * DAY_MS, 6 * DAY_MS)), st.integers(0, 9)
    ),
    min_size=1,
    max_size=6,
)


def lived(ttl_ms: int, late_ms: int, acts: list[tuple[int, int, int | None, int]]) -> World:
    world = World(ttl_ms, late_ms)
    world.plan_and_apply(99)
    for span_ms, late_now_ms, ttl_now_ms, steps in acts:
        world.wait(span_ms)
        world.late_ms, world.ttl_ms = late_now_ms, ttl_now_ms or world.ttl_ms
        world.plan_and_apply(steps or 99)
    world.wait(DAY_MS)
    return world


@given(st.integers(3 * DAY_MS, 6 * DAY_MS), st.integers(0, DAY_MS), acts)
def test_whatever_is_planned_and_broken_off_no_record_outlives_the_longest_ttl_of_its_life(
    ttl_ms: int, late_ms: int, acts: list[tuple[int, int, int | None, int]]
) -> None:
    for age_ms, promised_ms in lived(ttl_ms, late_ms, acts).lives():
        assert age_ms <= promised_ms


def test_without_the_hold_a_latecomer_outlives_its_ttl(monkeypatch: pytest.MonkeyPatch) -> None:
    acts = [(HOUR_MS, HOUR_MS, None, 0), (HOUR_MS, HOUR_MS, None, 0)]
    assert all(age_ms <= 3 * DAY_MS for age_ms, _ in lived(3 * DAY_MS, DAY_MS, acts).lives())
    monkeypatch.setattr(planning, "attainable", lambda promise, state: settings(promise, state.times, 1))
    assert any(age_ms > 3 * DAY_MS for age_ms, _ in lived(3 * DAY_MS, DAY_MS, acts).lives())


def test_what_was_held_back_is_done_by_the_first_plan_after_the_wait() -> None:
    before, after = applied(contract(3 * DAY_MS, DAY_MS)), contract(3 * DAY_MS, HOUR_MS)
    (entry,) = plan(after, before).entries
    assert entry.held is not None
    world = World(3 * DAY_MS, DAY_MS)
    world.plan_and_apply(99)
    world.late_ms = HOUR_MS
    world.plan_and_apply(99)
    world.wait(entry.held.wait_ms - 1)
    world.plan_and_apply(99)
    assert world.state.topics == applied(after, before).topics
    world.wait(1)
    world.plan_and_apply(99)
    assert world.state.topics == applied(after).topics


def test_a_cut_that_was_broken_off_or_made_by_hand_is_waited_for_from_when_it_is_recorded() -> None:
    first, now = contract(3 * DAY_MS, DAY_MS), contract(3 * DAY_MS, HOUR_MS)
    allowed = str(settings_of(now)[OLDEST])
    said = Recorded()
    said.hear(applied_body(Done({}, {}, {}, lets_in(first, applied(first)), {})), 0)
    by_hand = changed(applied(first), NAME, {OLDEST: allowed})
    late = still_there(now, by_hand, said, 0)
    assert late == {NAME: Latecomers(int(settings_of(first)[OLDEST]), None)}
    state = replace(by_hand, latecomers=late, recorded=audience(now))
    assert [step.kind for step in plan(now, state).steps] == ["record"]
    (cut,) = [step for step in plan(now, applied(first)).steps if step.kind == "set"]
    said.hear(change_body(cut), 0)  # and then the process was killed, before or after the change
    assert still_there(now, by_hand, said, 0) == late
    assert still_there(now, applied(first), said, 0) == late


def test_of_a_topic_that_no_record_tells_of_anything_may_have_come() -> None:
    now = contract(3 * DAY_MS, HOUR_MS)
    assert still_there(now, applied(now), Recorded(), 0) == {NAME: Latecomers(FOREVER_MS, None)}
    assert still_there(now, applied(now), Recorded(hidden=True), 0) == {NAME: Latecomers(FOREVER_MS, None)}


def test_a_topic_that_is_made_anew_holds_no_latecomers() -> None:
    now = contract(3 * DAY_MS, HOUR_MS)
    said = Recorded()
    said.hear(applied_body(Done({}, {}, {}, {NAME: 5}, {NAME: Latecomers(7, None)})), 0)
    for step in plan(now, ClusterState({1: USUAL}, {})).steps:
        if step.kind == "create":
            said.hear(change_body(step), 0)
    assert still_there(now, applied(now), said, 0) == {}


@pytest.mark.parametrize("said", ["x", {}, {"oldest_ms": "1", "until": None}, {"oldest_ms": 1, "until": "yesterday"}])
def test_what_is_recorded_of_latecomers_and_cannot_be_read_is_taken_for_the_worst(said: object) -> None:
    now, found = contract(3 * DAY_MS, HOUR_MS), Recorded()
    body = applied_body(Done({}, {}, {}, lets_in(now, applied(now)), {}))
    found.hear({**body, "latecomers": {NAME: said}}, 17)
    assert still_there(now, applied(now), found, 18) == {NAME: Latecomers(FOREVER_MS, 17)}


@given(
    st.integers(2 * DAY_MS, 30 * DAY_MS),
    st.integers(2 * DAY_MS, 30 * DAY_MS),
    st.integers(0, DAY_MS),
    st.integers(0, DAY_MS),
)
def test_a_plan_says_until_when_what_came_late_before_may_outlive_a_ttl_that_is_cut(
    ttl_before_ms: int, ttl_ms: int, late_before_ms: int, late_ms: int
) -> None:
    before = applied(contract(ttl_before_ms, late_before_ms))
    planned = plan(contract(ttl_ms, late_ms), before)
    entry = next((each for each in planned.entries if each.topic == NAME), None)
    now = applied(contract(ttl_ms, late_ms), before)
    kept, times = now.kept(NAME), before.times
    # The last record that the old plan let in, as old as it might be, at the very moment of the change.
    stays_ms = kept.segment_ms + kept.retention_ms + times.look_ms + times.delete_delay_ms
    if late_before_ms + stays_ms > ttl_ms:
        assert entry is not None
        assert entry.settled_after_ms is not None
        assert entry.settled_after_ms >= stays_ms
    elif late_ms == late_before_ms and ttl_ms >= ttl_before_ms:
        assert entry is None or entry.settled_after_ms is None


def settings_of(contract: Contract) -> dict[str, str]:
    return dict(applied(contract).topics[NAME].settings)
