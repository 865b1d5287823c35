"""The tests' wait and the tests' names, on a clock that only sleeping moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tests.support.names import unique
from tests.support.waiting import StalledError, until


@dataclass
class Clock:
    """A clock that stands still but for sleeps; `events` happen at their times, while something sleeps."""

    now: float = 0.0
    looks: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def waits(
    look: Callable[[Clock], object],
    progress: Callable[[Clock], object] | None = None,
    stalled_s: float = 60,
    limit_s: float = 600,
) -> Clock:
    clock = Clock()

    def looked() -> object:
        clock.looks.append(clock.now)
        return look(clock)

    moved = None if progress is None else (lambda: progress(clock))
    until(looked, "the moon", progress=moved, stalled_s=stalled_s, limit_s=limit_s, clock=clock, sleep=clock.sleep)
    return clock


def test_what_is_true_at_once_is_returned_without_a_sleep() -> None:
    clock = Clock()
    assert until(lambda: "found", "the moon", clock=clock, sleep=clock.sleep) == "found"
    assert clock.now == 0


def test_the_first_true_value_is_returned() -> None:
    values: Iterator[object] = iter([0, "", [], None, "found", "later"])
    clock = Clock()
    assert until(lambda: next(values), "the moon", clock=clock, sleep=clock.sleep) == "found"


def test_looks_are_20_to_50_ms_apart() -> None:
    looks = waits(lambda clock: clock.now > 1).looks
    gaps = [after - before for before, after in pairwise(looks)]
    assert 0.02 <= min(gaps) <= max(gaps) <= 0.0501


def test_a_wait_without_progress_ends_at_the_limit() -> None:
    with pytest.raises(StalledError, match=r"^waited 600 s for the moon, the limit is 600 s$"):
        waits(lambda _: False)


def test_a_wait_goes_on_for_as_long_as_something_moves() -> None:
    clock = waits(lambda clock: clock.now > 590, lambda clock: clock.now // 59)
    assert clock.now > 590


def test_a_wait_fails_when_nothing_moves_and_says_since_when_and_what_was_last() -> None:
    with pytest.raises(
        StalledError, match=r"waited 9[01] s for the moon: nothing moved for 6[01] s, last progress: 30"
    ):
        waits(lambda _: False, lambda clock: min(int(clock.now), 30))


def test_progress_that_was_there_before_the_wait_is_none() -> None:
    with pytest.raises(StalledError, match=r"nothing moved for 6[01] s, last progress: 7"):
        waits(lambda _: False, lambda _: 7)


def test_a_wait_that_moves_and_never_arrives_ends_at_the_limit() -> None:
    with pytest.raises(StalledError, match=r"the limit is 600 s, last progress: (599|600), [01] s ago"):
        waits(lambda _: False, lambda clock: int(clock.now))


@pytest.mark.parametrize("progress", [None, lambda _: 0])
def test_a_condition_that_came_true_while_this_process_had_no_cpu_counts(
    progress: Callable[[Clock], object] | None,
) -> None:
    clock = Clock()

    def look() -> bool:
        clock.looks.append(clock.now)
        if len(clock.looks) == 1:
            clock.now += 10_000  # descheduled between this look and the decision that nothing moved
            return False
        return True

    moved = None if progress is None else (lambda: progress(clock))
    assert until(look, "the moon", progress=moved, clock=clock, sleep=clock.sleep)


def test_what_a_look_raises_ends_the_wait() -> None:
    def look(_: Clock) -> bool:
        raise KeyError

    with pytest.raises(KeyError):
        waits(look)


def test_names_of_test_processes_differ_and_hold_small_letters_and_digits_alone() -> None:
    workers = ["", *(f"gw{number}" for number in range(120))]
    made = [unique("probe", worker) for worker in workers for _ in range(20)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch("probe[a-j]*[0-9]+", name) for name in made)
    parts = {name.rstrip("0123456789") for name in made}
    assert len(parts) == len(workers)
