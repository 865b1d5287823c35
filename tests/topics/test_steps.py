"""The order of steps: no record lives longer on the way than before and after; every place on the way is known."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, HOUR_MS
from pipelines.topics.judging import lives_ms
from pipelines.topics.planning import Plan
from pipelines.topics.progress import progress
from pipelines.topics.promise import Clock, Promise, settings
from pipelines.topics.state import (
    AHEAD,
    CLEANUP,
    CLOCK,
    DELETE_DELAY,
    OLDEST,
    RETENTION,
    SEGMENT,
    USUAL,
    ClusterState,
    TopicState,
)
from pipelines.topics.steps import setting, spreading
from tests.topics.clusters import made

spans = st.integers(1, 30 * DAY_MS)
own = st.fixed_dictionaries(
    {},
    optional={
        RETENTION: st.one_of(st.just(-1), spans).map(str),
        SEGMENT: spans.map(str),
        DELETE_DELAY: st.integers(0, DAY_MS).map(str),
        AHEAD: st.one_of(st.just(2**63 - 1), spans).map(str),
        OLDEST: st.one_of(st.just(2**63 - 1), spans).map(str),
        CLEANUP: st.sampled_from(["delete", "compact", "compact,delete"]),
        CLOCK: st.sampled_from(list(Clock)).map(str),
        "max.message.bytes": st.just("1000"),
    },
)
promised = st.builds(
    Promise,
    st.just("audit.a"),
    st.integers(1, 4),
    st.integers(3 * DAY_MS, 90 * DAY_MS),
    st.integers(0, DAY_MS),
    st.integers(60_000, HOUR_MS),
    st.sampled_from(Clock),
)


def planned(promise: Promise, live: Mapping[str, str], partitions: int) -> Plan:
    state = ClusterState({1: USUAL, 2: USUAL}, {promise.topic: TopicState(partitions, 2, live)})
    wanted = settings(promise, state.times, 2)
    assert isinstance(wanted, dict)
    topic = state.topics[promise.topic]
    return Plan("", state, (), (*setting(promise.topic, wanted, state), *spreading(promise, topic)), ())


@given(promised, own, st.integers(1, 4))
def test_no_step_lets_a_record_live_longer_than_before_and_after(
    promise: Promise, live: Mapping[str, str], partitions: int
) -> None:
    plan = planned(promise, live, partitions)
    lives = [lives_ms(promise, made(plan.state, *plan.steps[:done])) for done in range(len(plan.steps) + 1)]
    assert lives[-1] == promise.ttl_ms
    turn = lives.index(min(lives))
    assert lives[: turn + 1] == sorted(lives[: turn + 1], reverse=True)
    assert lives[turn:] == sorted(lives[turn:])


@given(promised, own, st.integers(1, 4))
def test_a_cut_segment_comes_before_a_cut_retention_and_each_alone(
    promise: Promise, live: Mapping[str, str], partitions: int
) -> None:
    plan = planned(promise, live, partitions)
    cut = [step for step in plan.steps if SEGMENT in step.settings]
    before = plan.state.kept(promise.topic)
    for step in cut:
        if int(step.settings[SEGMENT]) < before.segment_ms:
            assert (plan.steps[0], set(step.settings)) == (step, {SEGMENT})


@given(promised, own, st.integers(1, 4))
def test_steps_set_what_is_promised_and_leave_what_is_not(
    promise: Promise, live: Mapping[str, str], partitions: int
) -> None:
    plan = planned(promise, live, partitions)
    topic = made(plan.state, *plan.steps).topics[promise.topic]
    wanted = settings(promise, plan.state.times, 2)
    assert isinstance(wanted, dict)
    assert topic.settings == {**live, **wanted}
    assert topic.partitions == max(partitions, promise.partitions)
    assert all(step.before[name] == live.get(name, "") for step in plan.steps for name in step.settings)


@given(promised, own, st.integers(1, 4), st.data())
def test_wherever_an_apply_is_broken_off_the_next_one_knows_what_is_left(
    promise: Promise, live: Mapping[str, str], partitions: int, data: st.DataObject
) -> None:
    plan = planned(promise, live, partitions)
    done = data.draw(st.integers(0, len(plan.steps)))
    found = progress(plan, made(plan.state, *plan.steps[:done]))
    assert (found.done, found.left, found.changed) == (plan.steps[:done], plan.steps[done:], ())


@given(promised, own, st.integers(1, 4), st.sampled_from([RETENTION, CLEANUP, "retention.bytes", "partitions"]))
def test_a_change_by_somebody_else_is_named(
    promise: Promise, live: Mapping[str, str], partitions: int, name: str
) -> None:
    plan = planned(promise, live, partitions)
    was = plan.state.topics[promise.topic]
    topic = replace(was, partitions=99) if name == "partitions" else replace(was, settings={**live, name: "12345"})
    found = progress(plan, replace(plan.state, topics={promise.topic: topic}))
    assert any(name in change and ("12345" in change or "99" in change) for change in found.changed)


@given(promised, own)
def test_other_brokers_are_a_change_too(promise: Promise, live: Mapping[str, str]) -> None:
    plan = planned(promise, live, 1)
    assert progress(plan, replace(plan.state, brokers={1: USUAL})).changed
    assert progress(plan, replace(plan.state, brokers={1: USUAL, 2: {**USUAL, CLEANUP: USUAL[CLOCK]}})).changed
    assert progress(plan, replace(plan.state, initial_delay_ms=1)).changed
    assert progress(plan, replace(plan.state, topics={})).changed
