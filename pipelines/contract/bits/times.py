"""Times: how many things limited times can say of one raw time, at one broker time. By arithmetic, whatever the steps.

A limited time (`Truncate` with `within_ms`) tells one of 2 * within / to + 1 steps around the broker's time, or null.
When the record arrived is known anyway (`arrival`), so the count is of one broker time, the one with most things.

Several times of one raw time cut the line of times at their steps, a limited one only inside its window, and what they
say together is constant between two cuts. So each time adds as many things as it has cuts that no other one has. Of
steps that divide one another at least one cut adds nothing: if a window has no cut of a coarser time, all that is finer
lies between two of them, and there is null on both sides.

The count is exact for two times of which one step divides the other, and a bound for more, or for other steps (which
the check `time-crossing` refuses): each pair is taken at the broker time at which it has fewest cuts in common.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.contract.actions import Truncate


def joint_times(limited: Sequence[Truncate], plain: Sequence[Truncate], cells: int) -> int:
    """Return how many different things these actions say together of one raw time at most, null included.

    Args:
        limited: actions with a `within_ms`, one at least.
        plain: actions without.
        cells: how many different things the plain ones say together; 1 if there are none.
    """
    ordered = sorted(limited, key=lambda one: (one.step_ms, one.within_ms or 0))
    everything = [*plain, *ordered]
    chain = all(not (a.step_ms % b.step_ms and b.step_ms % a.step_ms) for a in everything for b in everything)
    things = cells
    for at, one in enumerate(ordered, len(plain)):
        known = max((_common_cuts(one, other) for other in everything[:at]), default=1)
        things += cuts(one) - (max(known, 1) if chain else known)
    return things


def cuts(action: Truncate) -> int:
    """Return how many cuts a limited time has: the beginnings of its steps, and the end of the last."""
    return 2 * (action.within_ms or 0) // action.step_ms + 2


def _common_cuts(one: Truncate, other: Truncate) -> int:
    """Return how many cuts of one time are cuts of the other, too, at the broker time at which these are fewest.

    There the finer window begins one step behind a cut of the coarser time. A limited time is one of the two at least.
    """
    fine, coarse = sorted((one, other), key=lambda action: action.step_ms)
    if coarse.step_ms % fine.step_ms:
        return 0
    if fine.within_ms is None:
        return cuts(coarse)
    broker_ms = (fine.within_ms + fine.step_ms) % coarse.step_ms
    low, high = broker_ms - fine.within_ms, broker_ms + fine.within_ms + fine.step_ms
    if coarse.within_ms is not None:
        low, high = max(low, -coarse.within_ms), min(high, coarse.within_ms + coarse.step_ms)
    return max(high // coarse.step_ms - (low - 1) // coarse.step_ms, 0)
