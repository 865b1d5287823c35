"""Limited times in the contract: how they are written, counted, compared and shared, held against plain counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from math import lcm
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.actions import Present, Truncate
from pipelines.contract.avro import Primitive
from pipelines.contract.bits import view_bits
from pipelines.contract.bits.counting import bodies
from pipelines.contract.bits.times import joint_times
from pipelines.contract.changes.order import Order, follows, order
from pipelines.contract.digest import digest
from pipelines.contract.linkage import Side, share
from pipelines.contract.linkage.bipartite import largest_matching
from pipelines.contract.linkage.times import matched_times
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS, RawSchema, View
from tests.contract.parts import mistakes, output, raw, view

MILLIS = Primitive("long", "timestamp-millis")
TIMES = {"type": "long", "logicalType": "timestamp-millis"}
AT = raw([{"name": "at", "type": TIMES}])
MAYBE = raw([{"name": "at", "type": ["null", TIMES]}])
THREE_DAYS = Truncate(HOUR_MS, 72 * HOUR_MS)
UNLIMITED = st.builds(lambda step: Truncate(step * MINUTE_MS), st.sampled_from((1, 2, 3, 4, 6)))
LIMITED = st.builds(
    lambda step, times: Truncate(step * MINUTE_MS, step * times * MINUTE_MS),
    st.sampled_from((1, 2, 3, 4, 6)),
    st.integers(1, 4),
)
ANY = st.one_of(UNLIMITED, LIMITED)


def times_of(steps: Sequence[int], *, limited: bool) -> st.SearchStrategy[Truncate]:
    """Times of one of these steps (minutes)."""
    windows = st.integers(1, 4) if limited else st.none()
    return st.builds(
        lambda step, times: Truncate(step * MINUTE_MS, times and step * times * MINUTE_MS),
        st.sampled_from(steps),
        windows,
    )


AROUND = range(-80 * MINUTE_MS, 80 * MINUTE_MS, MINUTE_MS)


def said(action: Truncate, at_ms: int, broker_ms: int) -> int | None:
    floored, near = at_ms - at_ms % action.step_ms, broker_ms - broker_ms % action.step_ms
    return floored if action.within_ms is None or abs(floored - near) <= action.within_ms else None


def brokers(actions: Iterable[Truncate]) -> range:
    return range(0, lcm(*(action.step_ms for action in actions)), MINUTE_MS)


def view_of(rules: str, *versions: RawSchema) -> View:
    draft, report = view(rules, *versions)
    assert draft.view is not None, report.mistakes
    return draft.view


def counted(rules: str, *versions: RawSchema) -> int:
    return view_bits(versions, view_of(rules, *versions)).count


def test_a_limited_time_is_written_with_two_spans_and_gives_a_time_or_null() -> None:
    rule = view_of("at: {truncate: {to: 1h, within: 72h}}", AT).rules[0]
    assert rule.action == Truncate(3_600_000, 259_200_000)
    assert output("at: {truncate: {to: 1h, within: 3d}}", AT) == [{"name": "at", "type": ["null", TIMES]}]


def test_a_limit_makes_another_derived_schema() -> None:
    limited, unlimited = (view_of(f"at: {{truncate: {operand}}}", AT) for operand in ("{to: 1h, within: 3d}", "1h"))
    assert limited.fingerprint != unlimited.fingerprint
    assert output("at: {truncate: 1h}", AT) == [{"name": "at", "type": TIMES}]


@pytest.mark.parametrize(
    ("operand", "checks"),
    [
        ("{to: 1h, within: 90m}", ["rule-operand"]),  # no whole multiple
        ("{to: 1h, within: 30m}", ["rule-operand"]),
        ("{to: 1h, within: 401d}", ["bad-value"]),
        ("{to: 1h, within: 0h}", ["bad-value"]),
        ("{to: 7m, within: 70m}", ["rule-operand"]),  # does not divide a day
        ("{to: 1h}", ["missing-key"]),
        ("{within: 72h}", ["missing-key"]),
        ("{to: 1h, within: 72h, from: 1h}", ["unknown-key"]),
        ("[1h, 72h]", ["wrong-shape"]),
    ],
)
def test_an_odd_limited_time_is_refused(operand: str, checks: list[str]) -> None:
    assert mistakes(f"at: {{truncate: {operand}}}", AT) == checks


def test_a_truncation_without_a_limit_has_the_digest_that_it_had_before_there_were_limits() -> None:
    before = "4d760d220e67b25060e9e5431c6010db1b33a1218db8bb467d499bd973b39d2d"
    assert digest(Truncate(HOUR_MS)).hex() == before
    assert digest(THREE_DAYS) != digest(Truncate(HOUR_MS)) != digest(Truncate(HOUR_MS, 48 * HOUR_MS))


def test_a_limited_time_says_its_window_and_null_at_one_broker_time() -> None:
    assert counted("at: {truncate: {to: 1h, within: 72h}}", AT) == 2 * 72 + 1 + 1
    assert counted("at: {truncate: {to: 1d, within: 3d}}", AT) == 2 * 3 + 1 + 1


def test_null_counts_once_whether_there_was_no_time_or_it_lay_too_far_away() -> None:
    rule = "at: {truncate: {to: 1h, within: 72h}}"
    assert counted(rule, MAYBE) == counted(rule, AT) == counted(rule, AT, raw([{"name": "n", "type": "int"}], 2))


def test_a_record_that_may_be_null_counts_once_with_its_limited_time() -> None:
    inner = {"type": "record", "name": "R", "fields": [{"name": "at", "type": TIMES, "class": "metadata"}]}
    schema = raw([{"name": "r", "type": ["null", inner]}])
    assert counted("r.at: {truncate: {to: 1h, within: 72h}}", schema) == 146


def test_two_views_of_one_purpose_are_counted_at_one_broker_time() -> None:
    def together(*operands: str) -> int:
        return bodies((AT,), [view_of(f"at: {{truncate: {operand}}}", AT).rules[0] for operand in operands])

    assert together("{to: 1h, within: 72h}", "{to: 1h, within: 72h}") == 146
    assert together("{to: 1h, within: 72h}", "{to: 1d, within: 2d}") == 146  # days begin with an hour of the window
    assert together("{to: 1h, within: 72h}", "{to: 1d, within: 30d}") == 146 + 62 - 6  # six of 62 days begin in it
    assert together("{to: 1h, within: 72h}", "1d") == 3_652_059 + 146 - 6


@given(st.lists(LIMITED, min_size=1, max_size=3), st.lists(UNLIMITED, max_size=2))
def test_times_of_one_field_say_no_more_together_than_is_counted(
    limited: list[Truncate], plain: list[Truncate]
) -> None:
    exact, counted = together_by_trial(limited, plain)
    assert exact <= counted
    assert exact == counted or not (divide([*limited, *plain]) and len({*limited, *plain}) <= 2)


@given(st.data())
def test_three_times_or_more_whose_steps_divide_one_another_are_counted_with_little_to_spare(
    data: st.DataObject,
) -> None:
    steps = data.draw(st.sampled_from([(1, 2, 4), (1, 3, 6), (2, 4, 12)]))
    limited = data.draw(st.lists(times_of(steps, limited=True), min_size=1, max_size=3))
    plain = data.draw(st.lists(times_of(steps, limited=False), max_size=2))
    exact, counted = together_by_trial(limited, plain)
    assert exact <= counted <= exact + 2 * len(limited)


def together_by_trial(limited: Sequence[Truncate], plain: Sequence[Truncate]) -> tuple[int, int]:
    """How many things times say together by a trial of all times and broker times, and what is counted."""

    def things(actions: Sequence[Truncate], broker_ms: int) -> int:
        return len({tuple(said(action, at, broker_ms) for action in actions) for at in AROUND})

    most = max(things([*limited, *plain], at) for at in brokers([*limited, *plain]))
    return most, joint_times(limited, plain, things(plain, 0))


def divide(actions: Sequence[Truncate]) -> bool:
    """Whether of any two steps one divides the other."""
    steps = sorted({action.step_ms for action in actions})
    return all(coarse % fine == 0 for fine, coarse in combinations(steps, 2))


@given(ANY, ANY)
def test_times_are_ordered_as_a_count_of_all_times_says(old: Truncate, new: Truncate) -> None:
    def computable(one: Truncate, other: Truncate) -> bool:
        for broker_ms in brokers((one, other)):
            known: dict[int | None, int | None] = {}
            for at in AROUND:
                if known.setdefault(said(one, at, broker_ms), now := said(other, at, broker_ms)) != now:
                    return False
        return True

    less, more = computable(old, new), computable(new, old)
    expected = {(True, True): Order.SAME, (True, False): Order.COARSER, (False, True): Order.FINER}
    assert order(old, new, (MILLIS, MILLIS)) is expected.get((less, more), Order.APART)
    assert follows(old, new, MILLIS) == less


def test_whether_there_was_a_time_does_not_follow_from_a_limited_one() -> None:
    assert order(THREE_DAYS, Present(), (MILLIS, MILLIS)) is Order.APART
    assert not follows(THREE_DAYS, Present(), MILLIS)


@given(ANY, LIMITED)
def test_times_share_the_largest_matching_of_what_they_say_at_one_broker_time(one: Truncate, other: Truncate) -> None:
    exact, counted = matched_by_trial([one], [other])
    assert exact <= counted
    assert exact == counted or not divide([one, other])
    assert matched_by_trial([other], [one]) == (exact, counted)


@given(st.lists(ANY, min_size=1, max_size=3), st.lists(LIMITED, min_size=1, max_size=3))
def test_times_of_several_views_share_no_more_than_is_counted(one: list[Truncate], other: list[Truncate]) -> None:
    exact, counted = matched_by_trial(one, other)
    assert exact <= counted


def matched_by_trial(one: Sequence[Truncate], other: Sequence[Truncate]) -> tuple[int, int]:
    """The largest matching by a trial of all times and broker times, and what is counted."""
    near = brokers([*one, *other])
    pairs = [
        {
            (
                tuple(said(action, at, broker_ms) for action in one),
                tuple(said(action, at, broker_ms) for action in other),
            )
            for at in AROUND
        }
        for broker_ms in near
    ]
    most = min(max(len({pair[side] for pair in some}) for some in pairs) for side in (0, 1))
    return max(map(largest_matching, pairs)), matched_times(one, other, most)


FINEST, LIMITED_DAY = Truncate(1, DAY_MS), Truncate(DAY_MS, 3 * DAY_MS)


@pytest.mark.parametrize(
    ("limited", "plain", "cells", "things"),
    [
        ([FINEST, LIMITED_DAY], [], 1, 2 * DAY_MS + 2 + 8 - 2),  # the window of 2 d has two midnights at least
        ([FINEST], [Truncate(DAY_MS)], 3_652_059, 3_652_059 + 2 * DAY_MS),
        ([Truncate(1, 400 * DAY_MS), *(Truncate(DAY_MS, at * DAY_MS) for at in range(1, 6))], [], 1, 800 * DAY_MS + 2),
    ],
)
def test_times_are_counted_together_in_a_few_steps_however_fine_they_are(
    limited: list[Truncate], plain: list[Truncate], cells: int, things: int
) -> None:
    with few_lines():
        assert joint_times(limited, plain, cells) == things


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        ([FINEST], [LIMITED_DAY], 4),  # two days lie in three at most, and null goes with another day
        ([Truncate(1, 1_000)], [Truncate(DAY_MS)], 3),
        ([FINEST], [Truncate(MINUTE_MS, DAY_MS), LIMITED_DAY], 2_884),
    ],
)
def test_times_are_matched_in_a_few_steps_however_fine_they_are(
    one: list[Truncate], other: list[Truncate], kinds: int
) -> None:
    with few_lines():
        assert matched_times(one, other, 10**9) == kinds
        assert matched_times(other, one, 10**9) == kinds


@contextmanager
def few_lines(most: int = 5_000) -> Iterator[None]:
    """Fail as soon as more lines of Python than these have run: a time limit that no busy machine breaks."""
    left = most

    def count(_frame: FrameType, what: str, _argument: object) -> Callable[..., Any]:
        nonlocal left
        left -= what == "line"
        assert left >= 0, f"more than {most} lines"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize(
    ("one", "other", "version", "count"),
    [
        ("{to: 1h, within: 72h}", "{to: 1h, within: 72h}", AT, 146),
        ("{to: 1h, within: 72h}", "{to: 1h, within: 72h}", MAYBE, 146),  # null is one of them
        ("{to: 1h, within: 72h}", "{to: 1d, within: 3d}", AT, 8),
        ("{to: 1h, within: 72h}", "1h", AT, 146),
        ("{to: 1h, within: 2h}", "1d", AT, 3),  # five hours lie in two days, and null goes with any other day
        ("{to: 1m, within: 400d}", "{to: 1d, within: 400d}", AT, 802),  # too many to match: the smaller side
    ],
)
def test_two_views_share_so_many_kinds_of_a_limited_time(one: str, other: str, version: RawSchema, count: int) -> None:
    topic = "network-metadata.support"
    sides = [
        Side.of((version,), (view_of(f"at: {{truncate: {operand}}}", version),), {topic: DAY_MS}, {topic: DAY_MS})
        for operand in (one, other)
    ]
    assert share((version,), sides[0], sides[1]).kinds == count
    assert share((version,), sides[1], sides[0]).kinds == count
