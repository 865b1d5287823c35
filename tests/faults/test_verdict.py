"""The verdict's own checks: for each kind of violation a doctored history in which it must be found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.computing import BUCKETS, NO_LANE, Buckets, Counted, Entry, entries
from tests.faults.ledger import Ledger, Standing
from tests.faults.reader import ENTRY, differing
from tests.faults.verdict import Verdict, judge

RAW, VIEW, OTHER = "raw.synthetic.ping", "audit.one", "audit.two"
LANE, SECOND_LANE = b"lane-one", b"lane-two"


def entry(number: int, lane: bytes = LANE, *, partition: int = 0) -> Entry:
    """What raw obliges to; `got` has the same without its origin."""
    return Entry(number.to_bytes(16, "big"), lane, partition, number)


EXPECTED = [entry(1), entry(2), entry(3), entry(4, NO_LANE), entry(5, SECOND_LANE)]


def verdict(got: list[Entry], expected: list[Entry] = EXPECTED) -> dict[str, int]:
    judged = Verdict()
    judged.outputs(expected, [each._replace(partition=0, offset=0) for each in got])
    found = {"lost": judged.lost, "duplicated": judged.duplicated}
    found |= {"reordered": judged.reordered, "unexplained": judged.unexplained}
    assert judged.violations == sum(found.values())
    return {kind: count for kind, count in found.items() if count}


def test_the_expected_output_is_no_violation_in_whatever_order_lanes_come() -> None:
    assert verdict(EXPECTED) == {}
    assert verdict([EXPECTED[4], EXPECTED[3], *EXPECTED[:3]]) == {}


def test_a_record_that_is_not_there_is_lost() -> None:
    assert verdict(EXPECTED[1:]) == {"lost": 1}


def test_a_record_that_is_there_twice_is_duplicated_each_time_it_is_too_many() -> None:
    assert verdict([*EXPECTED, EXPECTED[3], EXPECTED[3]]) == {"duplicated": 2}


def test_one_lost_and_another_duplicated_do_not_make_up_for_each_other() -> None:
    assert verdict([*EXPECTED[:3], EXPECTED[2], EXPECTED[4]]) == {"lost": 1, "duplicated": 1}


def test_a_record_that_nothing_obliges_to_is_unexplained() -> None:
    assert verdict([*EXPECTED, entry(9)]) == {"unexplained": 1}


def test_a_record_before_an_earlier_one_of_its_lane_is_reordered() -> None:
    assert verdict([EXPECTED[1], EXPECTED[0], *EXPECTED[2:]]) == {"reordered": 1}


def test_order_is_kept_per_raw_partition_and_not_between_them() -> None:
    there = [entry(1), entry(2, partition=1)]
    assert verdict(there[::-1], there) == {}


def sequence(folder: Path, *entries: tuple[int, bytes]) -> Path:
    folder.mkdir()
    (folder / "0-0").write_bytes(b"".join(ENTRY.pack(offset, digest * 16) for offset, digest in entries))
    return folder


FINAL = [(0, b"a"), (2, b"b"), (3, b"c")]


@pytest.mark.parametrize(
    ("along", "found"),
    [
        (FINAL, (0, 0)),
        ([(0, b"a"), (1, b"x"), *FINAL[1:]], (1, 0)),  # it saw what was aborted
        ([(0, b"a"), (2, b"x"), (3, b"c")], (1, 1)),  # something else stood there
        (FINAL[1:], (0, 1)),  # it never saw what is there
        ([*FINAL, FINAL[2]], (1, 0)),  # it saw one record twice
        ([FINAL[1], FINAL[0], FINAL[2]], (2, 0)),  # in another order
    ],
)
def test_what_was_read_all_along_must_be_what_is_there_at_the_end(
    tmp_path: Path, along: list[tuple[int, bytes]], found: tuple[int, int]
) -> None:
    final = sequence(tmp_path / "final", *FINAL)
    assert differing(sequence(tmp_path / "along", *along), final) == found
    judged = Verdict()
    judged.readers(tmp_path / "along", final)
    assert (judged.aborted_visible, judged.unseen) == found
    assert judged.violations == sum(found)


def test_a_partition_that_only_one_reader_saw_is_told(tmp_path: Path) -> None:
    final = sequence(tmp_path / "final", *FINAL)
    (tmp_path / "along").mkdir()
    assert differing(tmp_path / "along", final) == (0, 3)
    assert differing(final, tmp_path / "along") == (3, 0)


def sound_ledger() -> Ledger:
    ledger = Ledger("minimizer.synthetic")
    for partition in (0, 1):
        ledger.standing[RAW, partition] = Standing(10, 10, 0, {VIEW: [0, 9, 1, 0, 0], OTHER: [0, 10, 0, 0, 0]})
    return ledger


COUNTED = Counted(
    Counter({0: 10, 1: 10}),
    Counter({(VIEW, 0): 9, (VIEW, 1): 9, (OTHER, 0): 10, (OTHER, 1): 10}),
    Counter({(VIEW, 0): 1, (VIEW, 1): 1}),
)


def test_books_that_say_what_raw_obliges_to_are_no_violation() -> None:
    judged = Verdict()
    judged.books(sound_ledger(), COUNTED, RAW, [VIEW, OTHER])
    assert judged == Verdict()


def _regressed(ledger: Ledger) -> None:
    ledger.regressions = 1


def _unbalanced(ledger: Ledger) -> None:
    ledger.errors = 1


def _undecodable(ledger: Ledger) -> None:
    ledger.undecodable = 1


def _one_event_short(ledger: Ledger) -> None:
    ledger.standing[RAW, 1].events_in = 9


def _never_committed(ledger: Ledger) -> None:
    del ledger.standing[RAW, 1]


def _a_partition_too_many(ledger: Ledger) -> None:
    ledger.standing[RAW, 7] = Standing(0, 0, 0, {})


def _out_where_it_should_be_quarantined(ledger: Ledger) -> None:
    ledger.standing[RAW, 0].views[VIEW] = [0, 10, 0, 0, 0]


def _expired_though_nothing_was_late(ledger: Ledger) -> None:
    ledger.standing[RAW, 0].views[OTHER] = [0, 9, 0, 1, 0]


def _a_gap_though_nothing_expired(ledger: Ledger) -> None:
    ledger.standing[RAW, 0].gap = 1


def _a_view_less(ledger: Ledger) -> None:
    del ledger.standing[RAW, 0].views[OTHER]


@pytest.mark.parametrize(
    "doctor",
    [
        _regressed,
        _unbalanced,
        _undecodable,
        _one_event_short,
        _never_committed,
        _a_partition_too_many,
        _out_where_it_should_be_quarantined,
        _expired_though_nothing_was_late,
        _a_gap_though_nothing_expired,
        _a_view_less,
    ],
)
def test_books_that_say_anything_else_are_a_violation(doctor: Callable[[Ledger], None]) -> None:
    ledger, judged = sound_ledger(), Verdict()
    doctor(ledger)
    judged.books(ledger, COUNTED, RAW, [VIEW, OTHER])
    assert judged.violations > 0


def test_a_lane_is_in_one_bucket_and_its_order_survives(tmp_path: Path) -> None:
    with Buckets(tmp_path, "one") as buckets:
        for number in range(200):
            buckets.add(entry(number, bytes([number % 5]) * 8 if number % 5 else NO_LANE))
    read = [list(entries(tmp_path, bucket)) for bucket in range(BUCKETS)]
    assert sum(map(len, read)) == 200
    for lane in range(1, 5):
        [numbers] = [found for part in read if (found := [e.offset for e in part if e.lane == bytes([lane]) * 8])]
        assert numbers == sorted(numbers)


def test_the_verdict_goes_over_a_whole_run(tmp_path: Path) -> None:
    for name in ("expected", "got"):
        with Buckets(tmp_path / name, "one") as buckets:
            for each in EXPECTED if name == "expected" else EXPECTED[:-1]:
                buckets.add(each)
    sequence(tmp_path / "final", *FINAL)
    sequence(tmp_path / "along", (0, b"a"), (1, b"x"), *FINAL[1:])
    judged = judge(tmp_path, sound_ledger(), COUNTED, RAW, [VIEW, OTHER])
    assert judged == Verdict(lost=1, aborted_visible=1)
