"""When will raw data be too old? From how the age of the oldest unread record went over the last minutes.

The age of what is not read grows by a second in a second at most (nothing is read), and falls when a worker catches up.
The slope is the median of those between all pairs of samples (Theil-Sen), so that a pause does not shake it. Pure: no
clock, no Kafka.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import inf, isinf
from statistics import median
from typing import Final, NamedTuple

WINDOW_S: Final = 300.0
SPACING_S: Final = 10.0
# Said once on the way down at each of these shares of the limit: at 24 h, when 12 h, 6 h, 2.4 h and 14 min are left.
SHARES: Final = (0.5, 0.25, 0.1, 0.01)
_SURELY: Final = 2  # samples; one alone tells no direction


class Sample(NamedTuple):
    """The age of a partition's oldest unread record at a time (both in seconds)."""

    at_s: float
    age_s: float


def slope(samples: Sequence[Sample]) -> float:
    """By how many seconds the age grows in a second: at most 1; 0 from fewer than two samples."""
    slopes = [(b.age_s - a.age_s) / (b.at_s - a.at_s) for a, b in combinations(samples, 2) if b.at_s > a.at_s]
    return min(1.0, median(slopes)) if slopes else 0.0


def seconds_until(limit_s: float, samples: Sequence[Sample]) -> float:
    """How long until the age reaches the limit if it goes on so: 0 when it has, infinite while it does not grow."""
    if len(samples) < _SURELY:
        return inf
    left = limit_s - samples[-1].age_s
    if left <= 0:
        return 0.0
    growth = slope(samples)
    return left / growth if growth > 0 else inf


class Ages:
    """The samples of each partition over the last minutes."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, int], deque[Sample]] = {}

    def add(self, now_s: float, ages: Iterable[tuple[tuple[str, int], float]]) -> None:
        """Note the present ages; whichever partition is not among them is forgotten."""
        kept = {}
        for place, age_s in ages:
            samples = self._samples.get(place, deque())
            # The newest sample moves along until it is far enough from the one before it.
            if len(samples) > 1 and samples[-1].at_s - samples[-2].at_s < SPACING_S:
                samples.pop()
            samples.append(Sample(now_s, age_s))
            while len(samples) > _SURELY and samples[0].at_s < now_s - WINDOW_S:
                samples.popleft()
            kept[place] = samples
        self._samples = kept

    def soonest(self, raw_topic: str, limit_s: float) -> float:
        """How long until the first of the topic's partitions reaches the limit."""
        mine = (list(samples) for (topic, _), samples in self._samples.items() if topic == raw_topic)
        return min((seconds_until(limit_s, samples) for samples in mine), default=inf)


class Alarm:
    """Says once when time runs short, and again only when it ran shorter or had recovered."""

    def __init__(self) -> None:
        self._level = 0

    def hear(self, left_s: float, limit_s: float) -> bool:
        """Whether to say it now."""
        level = sum(left_s <= share * limit_s for share in SHARES) + (left_s <= 0)
        louder = level > self._level
        # Back to silence only well clear of the first share, so that a forecast that trembles is said once.
        if louder or isinf(left_s) or left_s > limit_s * min(1.0, 1.5 * SHARES[0]):
            self._level = level
        return louder
