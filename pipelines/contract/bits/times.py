"""Times: how many things limited times can say of one raw time, at one broker time.

A limited time (`Truncate` with `within_ms`) tells one of 2 * within / to + 1 steps around the broker's time, or null.
When the record arrived is known anyway (`arrival`), so the count is of one broker time, the one with most things.

Several times of one raw time cut the line of times at their steps, a limited one only inside its window. What they
say together is constant between two cuts, and each cut begins something new, with one exception: some limited times are
null on both sides of their windows. Where no other time cuts the line from the first to the last cut of these, the
pieces on both sides say the same. Every window has the broker's time in it, so no two selections concern one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import gcd, lcm

from pipelines.contract.actions import Truncate


def joint_times(limited: Sequence[Truncate], plain: Sequence[Truncate], cells: int) -> int:
    """Return how many different things these actions say together of one raw time, null included.

    Args:
        limited: actions with a `within_ms`, one at least.
        plain: actions without.
        cells: how many different things the plain ones say together; 1 if there are none.
    """
    return cells + max(_more(limited, plain, at) for at in broker_times([*limited, *plain]))


def broker_times(actions: Sequence[Truncate]) -> Iterator[int]:
    """Broker times (ms) that stand for all: actions of these steps see every other one as they see one of these."""
    steps = [action.step_ms for action in actions]
    yield from range(0, lcm(*steps), gcd(*steps))


def window(action: Truncate, broker_ms: int) -> range:
    """The cuts of a limited time: the first times (ms) of its steps around a broker time, and the end of the last."""
    step, within = action.step_ms, action.within_ms or 0
    start = broker_ms // step * step - within
    return range(start, start + 2 * within + step + 1, step)


def _more(limited: Sequence[Truncate], plain: Sequence[Truncate], broker_ms: int) -> int:
    """How many things limited times add to those of plain ones."""
    windows = [window(action, broker_ms) for action in limited]
    low, high = min(one.start for one in windows), max(one[-1] for one in windows)
    around = [range(-(-low // one.step_ms) * one.step_ms, high + 1, one.step_ms) for one in plain]
    numbers = range(len(windows))
    chosen = [some for size in range(1, len(windows) + 1) for some in combinations(numbers, size)]
    alike = sum(
        _alone([windows[at] for at in some], [*(windows[at] for at in numbers if at not in some), *around])
        for some in chosen
    )
    return _in_any([*windows, *around]) - _in_any(around) - alike


def _alone(windows: Sequence[range], others: Sequence[range]) -> bool:
    """Whether no other range has a number between the first and the last cut of these windows."""
    between = range(min(one.start for one in windows), max(one[-1] for one in windows) + 1)
    return not any(_in_all([between, other]) for other in others)


def _in_any(ranges: Sequence[range]) -> int:
    """How many numbers are in at least one of the ranges, each of which has multiples of its step."""
    return sum(
        (-1) ** (size - 1) * _in_all(some) for size in range(1, len(ranges) + 1) for some in combinations(ranges, size)
    )


def _in_all(ranges: Sequence[range]) -> int:
    step = lcm(*(one.step for one in ranges))
    low, high = max(one.start for one in ranges), min(one.stop for one in ranges) - 1
    return max(high // step - (low - 1) // step, 0)
