"""Limited times in the contract: how they are written, counted, compared and shared, held against plain counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import lcm

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
from pipelines.contract.linkage import share
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
def test_times_of_one_field_say_as_much_together_as_a_count_of_all_times_says(
    limited: list[Truncate], plain: list[Truncate]
) -> None:
    def things(actions: Sequence[Truncate], broker_ms: int) -> int:
        return len({tuple(said(action, at, broker_ms) for action in actions) for at in AROUND})

    most = max(things([*limited, *plain], at) for at in brokers([*limited, *plain]))
    assert joint_times(limited, plain, things(plain, 0)) == most


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
    if one != other:
        times = brokers((one, other))
        pairs = [{(said(one, at, near), said(other, at, near)) for at in AROUND} for near in times]
        assert matched_times(one, other, 10**9) == max(map(largest_matching, pairs))
        assert matched_times(other, one, 10**9) == matched_times(one, other, 10**9)


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
    views = [view_of(f"at: {{truncate: {operand}}}", version) for operand in (one, other)]
    assert share((version,), views[0], views[1], (DAY_MS, DAY_MS)).kinds == count
    assert share((version,), views[1], views[0], (DAY_MS, DAY_MS)).kinds == count
