"""Times: a bound of the largest matching of what two purposes' truncations say of one raw time, at one broker time.

Both records of an event have the same broker time, and what tells it is counted as arrival. Outside its windows all
limited times of a purpose are null. So if it has no others, this null and all that the other purpose tells apart inside
these windows touch every pair of things that can be said together: by König's theorem no matching is larger. Nor is it
larger than all that one of them says. The smallest of these bounds is exact for two times of which one step divides the
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from pipelines.contract.actions import Truncate
from pipelines.contract.bits.times import cuts


def matched_times(one: Sequence[Truncate], other: Sequence[Truncate], most: int) -> int:
    """Return a bound of the largest matching.

    Args:
        one: the truncations of one purpose.
        other: those of another.
        most: how many things the one says that says less.
    """
    inside = [
        1 + _told_inside(windows, actions)
        for windows, actions in ((one, other), (other, one))
        if all(action.within_ms is not None for action in windows)
    ]
    return min([most, *inside])


def _told_inside(windows: Sequence[Truncate], actions: Sequence[Truncate]) -> int:
    """Return how many things actions tell apart at most from the first cut of some windows to the last."""
    widest = max(
        (one.within_ms or 0) + (other.within_ms or 0) + one.step_ms + other.step_ms - gcd(one.step_ms, other.step_ms)
        for one in windows
        for other in windows
    )
    grid = gcd(*(one.step_ms for one in windows))
    return 1 + sum(_cuts_inside(action, widest - gcd(grid, action.step_ms)) for action in actions)


def _cuts_inside(action: Truncate, span_ms: int) -> int:
    most = -(-span_ms // action.step_ms)
    return most if action.within_ms is None else min(most, cuts(action))
