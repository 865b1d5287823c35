"""How far a raw partition is read: how many offsets are not committed yet, and how old the oldest of them is.

A broker tells offsets and not times, so the age is reckoned from what is known anyway: the oldest record that is not
committed is no older than the last one that is, nor than the last moment at which the partition was seen read to its
end. Between two looks a partition may fill up, so an age may be too high by the time between them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Place = tuple[str, int]


class Standing(NamedTuple):
    """Where a partition stands: its committed offset, its end (None: not told yet), the last committed broker time."""

    next_offset: int
    end: int | None
    newest_ms: int


class Behind(NamedTuple):
    """Offsets that are not committed, and the age of the oldest of them (0 without any)."""

    events: int
    seconds: float


class Backlog:
    """Remembers, for each partition held, since when its oldest uncommitted record may have been there."""

    def __init__(self) -> None:
        self._since: dict[Place, tuple[int, float]] = {}

    def look(self, now_s: float, standings: Mapping[Place, Standing]) -> dict[Place, Behind]:
        """How far behind each partition is. A partition that is not told of is forgotten."""
        behind, since = {}, {}
        for place, (offset, end, newest_ms) in standings.items():
            seen_offset, seen_s = self._since.get(place, (None, now_s))
            if end is not None and offset >= end:
                since[place], behind[place] = (offset, now_s), Behind(0, 0.0)
                continue
            # Below the offset seen before lie markers of transactions only: then the moment seen before still holds.
            if seen_offset is None or offset > seen_offset:
                seen_s = newest_ms / 1000 if newest_ms else now_s
            since[place] = (offset, seen_s)
            if end is not None:
                behind[place] = Behind(end - offset, max(0.0, now_s - seen_s))
        self._since = since
        return behind
