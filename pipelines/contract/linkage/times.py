"""Times: the largest matching of what two truncations say of one raw time, at one broker time.

Both records of an event have the same broker time, and what tells it is counted as arrival. So the classes that meet
are those of one broker time, the one with the largest matching: the steps inside each window, and null outside it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pipelines.contract.actions import Truncate
from pipelines.contract.bits.times import broker_times, window
from pipelines.contract.linkage.bipartite import Edge, largest_matching

# More edges than these, over all broker times, are not matched: `most` stands for the matching, and is never below it.
_MOST_EDGES: Final = 100_000


@lru_cache(maxsize=1024)
def matched_times(one: Truncate, other: Truncate, most: int) -> int:
    """Return the largest matching of two different truncations, of which one at least is limited.

    Args:
        one: a truncation.
        other: another truncation.
        most: how many things the one says that says less; the matching is no larger.
    """
    times = list(broker_times([one, other]))
    spans = [window(action, 0) for action in (one, other) if action.within_ms is not None]
    widest = max(span[-1] - span[0] for span in spans) + 6 * max(one.step_ms, other.step_ms)
    if len(times) * (widest // one.step_ms + widest // other.step_ms) > _MOST_EDGES:
        return most
    return min(most, max(largest_matching(_edges(one, other, at)) for at in times))


def _edges(one: Truncate, other: Truncate, broker_ms: int) -> set[Edge]:
    """What both say of every raw time, as pairs; times beyond all windows, and two steps more, stand for the rest."""
    spans = [window(action, broker_ms) for action in (one, other) if action.within_ms is not None]
    margin = 2 * max(one.step_ms, other.step_ms)
    low, high = min(span[0] for span in spans) - margin, max(span[-1] for span in spans) + margin
    cuts = {at for action in (one, other) for at in range(low // action.step_ms * action.step_ms, high, action.step_ms)}
    return {(_said(one, at, broker_ms), _said(other, at, broker_ms)) for at in cuts}


def _said(action: Truncate, at_ms: int, broker_ms: int) -> int | None:
    step = action.step_ms
    floored = at_ms // step * step
    far = action.within_ms is not None and abs(floored - broker_ms // step * step) > action.within_ms
    return None if far else floored
