"""Singling out and matching, on rows whose answer is known, and on simulated events."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import log2

import pytest

from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract, View
from pipelines.explain.matching import match
from pipelines.explain.sampling import RECORD_TIME, Row, Table
from pipelines.explain.singling import Combination, Singled, by_handle, by_record, telling
from pipelines.simulate.sample import simulated

HERE = Position("made-up.yaml")


def table(columns: Sequence[str], rows: Sequence[Row | None], step_ms: int = HOUR_MS) -> Table:
    view = View("made.up", "network-metadata.support", (), (), "", bytes(8), step_ms, HERE)
    return Table(view, tuple(columns), list(rows))


def row(*values: Hashable, who: int | None = 0, handle: str | None = None, at_ms: int = 0) -> Row:
    return Row(
        values, None if who is None else who.to_bytes(2, "big"), None if handle is None else handle.encode(), at_ms
    )


def found(singled: Singled | None, *fields: str) -> Combination:
    assert singled is not None
    return next(one for one in singled.combinations if one.fields == fields)


def test_a_value_that_fewer_than_k_devices_share_singles_them_out() -> None:
    rows = [row("a", who=1), row("a", who=2), row("a", who=2), row("b", who=3), row("b", who=3)]
    assert found(by_record(table(["n"], rows), 2), "n") == Combination(("n",), 2, 1, 2, 1)
    assert found(by_record(table(["n"], rows), 3), "n") == Combination(("n",), 2, 2, 5, 3)


def test_fields_that_say_little_alone_single_out_together() -> None:
    rows = [row(a, b, who=number) for number, (a, b) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)])]
    singled = by_record(table(["a", "b"], rows), 2)
    assert found(singled, "a").devices == found(singled, "b").devices == 0
    assert found(singled, "a", "b").devices == 4


def test_combinations_go_up_to_three_fields_and_to_all_of_them() -> None:
    singled = by_record(table(["a", "b", "c", "d", "e"], [row(1, 2, 3, 4, 5)]), 2)
    sizes = [len(one.fields) for one in singled.combinations]
    assert (sizes.count(1), sizes.count(2), sizes.count(3), sizes.count(5)) == (5, 10, 10, 1)
    assert len(sizes) == 26


def test_records_of_nobody_known_are_each_of_somebody_else() -> None:
    assert by_record(table(["n"], [row("a", who=None), row("a", who=None)]), 2).devices == 2


def test_a_handle_s_records_are_taken_together() -> None:
    rows = [
        row("a", who=1, handle="x"), row("b", who=1, handle="x"),
        row("a", who=2, handle="y"), row("b", who=2, handle="y"), row("b", who=2, handle="y"),
        row("a", who=3, handle="z"),
    ]  # fmt: skip
    assert found(by_record(table(["n"], rows), 2), "n").devices == 0
    assert found(by_handle(table(["n"], rows), 2), "n") == Combination(("n",), 2, 1, 1, 1)


def test_views_without_handles_have_no_histories_and_left_out_records_none() -> None:
    assert by_handle(table(["n"], [row("a"), None]), 2) is None
    assert by_record(table(["n"], [row("a"), None]), 2).units == 1


def test_who_is_singled_out_most_comes_first_and_what_adds_nobody_is_not_told() -> None:
    rows = [row(number % 3, number, who=number) for number in range(6)]
    singled = by_record(table(["few", "all"], rows), 2)
    assert [one.fields for one in singled.combinations] == [("all",), ("few", "all"), ("few",)]
    assert [one.fields for one in telling(singled)] == [("all",)]


def test_a_sample_tells_who_sent_an_event_and_which_time_its_record_has(shipped: Contract) -> None:
    tables = {one.view.topic: one for one in simulated(shipped, "vpn.session", 400, 20).tables}
    support = tables["network-metadata.support"]
    assert "account_id" not in support.columns
    assert "occurred_at" in support.columns
    assert RECORD_TIME not in support.columns
    devices = {one.who for one in support.kept()}
    assert 5 < len(devices) <= 20
    assert len({one.handle for one in support.kept() if one.handle}) >= len({one.who for one in support.kept()}) / 4
    assert len(support.rows) == 400


def test_equal_rows_are_matched_no_better_than_by_time() -> None:
    rows = [row("same", who=number, at_ms=number // 10 * HOUR_MS) for number in range(400)]
    matched = match(table(["n"], rows), table(["m"], rows))
    assert matched is not None
    assert matched.tried == 200
    assert matched.by_all == pytest.approx(matched.by_time)
    assert matched.by_time == pytest.approx(40 / 200)  # one of each hour's records is found, however many there are
    assert matched.chance == pytest.approx(1 / 200)


def test_records_that_say_one_number_are_matched_by_it() -> None:
    rows = [row(number % 40, who=number) for number in range(400)]
    matched = match(table(["n"], rows), table(["m"], rows))
    assert matched is not None
    assert matched.by_all == pytest.approx(40 / 200)
    assert matched.bits == pytest.approx(log2(40))


def test_records_of_other_values_are_matched_by_what_goes_together() -> None:
    ones = [row(number % 10, who=number) for number in range(400)]
    others = [row(f"word {number % 10}", who=number) for number in range(400)]
    matched = match(table(["n"], ones), table(["m"], others))
    assert matched is not None
    assert matched.by_all == pytest.approx(10 / 200)


def test_handles_are_matched_by_when_their_records_come_although_no_record_is() -> None:
    came = [(day, device) for day in range(1, 256) for device in range(8) if day >> device & 1]
    ones = [row("", handle=f"x{device}", at_ms=day * DAY_MS) for day, device in came]
    others = [row("", handle=f"y{device}", at_ms=day * DAY_MS) for day, device in came]
    matched = match(table(["n"], ones, DAY_MS), table(["m"], others, DAY_MS))
    assert matched is not None
    assert matched.by_all == pytest.approx(matched.by_time)
    assert (matched.handles, matched.handle_chance, matched.handle_found) == (8, pytest.approx(1 / 8), 1.0)


def test_too_few_events_are_not_matched() -> None:
    assert match(table(["n"], [row(1), row(2)]), table(["m"], [row(1), row(2)])) is None


@pytest.mark.parametrize(("event", "better"), [("ota.install", 3.0), ("vpn.session", 3.0)])
def test_simulated_records_are_matched_better_than_by_time_alone(shipped: Contract, event: str, better: float) -> None:
    one, other = [
        table_ for table_ in simulated(shipped, event, 600, 100).tables
        if table_.view.purpose in ("support", "device-management", "threat-detection")
    ]  # fmt: skip
    matched = match(one, other)
    assert matched is not None
    assert matched.by_all > better * matched.by_time > better * matched.chance
