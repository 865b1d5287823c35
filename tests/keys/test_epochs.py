from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, HOUR_MS
from pipelines.keys.epochs import RootId, epoch_start, epoch_starts, epoch_text

times = st.integers(-(2**53), 2**53)
rotations = st.integers(1, 400 * DAY_MS)


@given(times, rotations)
def test_an_epoch_holds_the_time_and_begins_at_a_multiple_of_the_rotation(time: int, rotate: int) -> None:
    start = epoch_start(time, rotate)
    assert start <= time < start + rotate
    assert start % rotate == 0


@given(times, rotations, st.data())
def test_all_times_of_an_epoch_agree_on_it_and_the_next_millisecond_does_not(
    time: int, rotate: int, data: st.DataObject
) -> None:
    start = epoch_start(time, rotate)
    assert epoch_start(start + data.draw(st.integers(0, rotate - 1)), rotate) == start
    assert epoch_start(start + rotate, rotate) == start + rotate
    assert epoch_start(start - 1, rotate) == start - rotate


def test_a_time_before_1970_belongs_to_the_epoch_that_began_before_it() -> None:
    assert epoch_start(-1, DAY_MS) == -DAY_MS
    assert epoch_start(0, DAY_MS) == 0
    assert epoch_start(DAY_MS - 1, DAY_MS) == 0


@pytest.mark.parametrize("rotate", [0, -1])
def test_a_rotation_that_is_not_positive_is_refused(rotate: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        epoch_start(0, rotate)


@given(times, st.integers(0, 50), st.integers(0, DAY_MS), st.integers(HOUR_MS, 400 * DAY_MS))
def test_the_epochs_of_a_span_leave_no_gap_and_reach_over_both_ends(
    first: int, epochs: int, more: int, rotate: int
) -> None:
    last = first + epochs * rotate + more
    starts = list(epoch_starts(first, last, rotate))
    assert starts[0] == epoch_start(first, rotate)
    assert starts[-1] == epoch_start(last, rotate)
    assert all(after - before == rotate for before, after in pairwise(starts))


@given(times, st.integers(1, DAY_MS), rotations)
def test_a_span_that_ends_before_it_begins_has_no_epochs(first: int, less: int, rotate: int) -> None:
    assert not epoch_starts(first, first - less, rotate)


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-DAY_MS, "1969-12-31T00:00:00Z"),
        (1_793_000_000_000, "2026-10-26T07:33:20Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (2**62, f"{2**62} ms"),
    ],
)
def test_an_epoch_is_told_as_rfc_3339_where_that_is_possible(start: int, text: str) -> None:
    assert epoch_text(start) == text
    assert text in str(RootId("support", DAY_MS, start))
