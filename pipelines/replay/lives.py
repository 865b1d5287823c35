"""For how long noted raw events can still be tried again. Asks for offsets by time, and reads no raw record.

A raw event's broker time is known only to whoever reads it. But brokers say which offset was the first at or after a
time, so a grid of times brackets each event's; what is told is the earlier end, so that nothing is promised too long.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from pipelines.broker import Admin
from pipelines.contract.model import Contract
from pipelines.envelope import Note

_POINTS: Final = 48


def left_ms(contract: Contract, admin: Admin, notes: Iterable[Note], now_ms: int) -> dict[Note, int]:
    """At least so long (ms) each noted event can be tried again; 0: it is deleted, or too late for what failed.

    That is until the raw topic's `retention.ms` may delete it, or until it is older than the `late` of its view (the
    longest of all views, when the event failed as a whole). Exact to a 48th of the raw topic's TTL, and never too long.

    Raises:
        Trouble: (exit 3) the cluster does not answer.
    """
    by_topic: dict[str, list[Note]] = {}
    for note in notes:
        by_topic.setdefault(note.topic, []).append(note)
    left: dict[Note, int] = {}
    for topic, mine in by_topic.items():
        grid = _Grid(admin, topic, {note.partition for note in mine}, contract.raw_topics[topic].ttl_ms, now_ms)
        kept_ms = _kept_ms(contract, admin, topic)
        for note in mine:
            since_ms = grid.not_before(note.partition, note.offset)
            life_ms = min(kept_ms, _late_ms(contract, note))
            left[note] = 0 if since_ms is None else max(0, since_ms + life_ms - now_ms)
    return left


def _kept_ms(contract: Contract, admin: Admin, topic: str) -> int:
    ttl_ms, live_ms = contract.raw_topics[topic].ttl_ms, int(admin.topic_configs([topic])[topic]["retention.ms"])
    return min(ttl_ms, live_ms) if live_ms >= 0 else ttl_ms


def _late_ms(contract: Contract, note: Note) -> int:
    views = [view.topic for view in contract.events[note.event].views if note.view in {None, view.topic}]
    return max(contract.topics[topic].late_ms for topic in views)


class _Grid:
    """Offsets of some partitions at points in time, from a TTL ago until now."""

    def __init__(self, admin: Admin, topic: str, partitions: set[int], ttl_ms: int, now_ms: int) -> None:
        places = [(topic, number) for number in sorted(partitions)]
        starts, ends = admin.offsets(places, "earliest"), admin.offsets(places, "latest")
        self._starts = {number: found.offset for (_, number), found in starts.items()}
        self._ends = {number: found.offset for (_, number), found in ends.items()}
        self._times = [now_ms - ttl_ms + ttl_ms * point // _POINTS for point in range(_POINTS + 1)]
        self._offsets: dict[int, list[int]] = {number: [] for number in partitions}
        for at_ms in self._times:
            for (_, number), found in admin.offsets(places, at_ms).items():
                self._offsets[number].append(found.offset if found.offset >= 0 else self._ends[number])

    def not_before(self, partition: int, offset: int) -> int | None:
        """A time that the event's is not earlier than; None for one that is deleted, or older than the TTL."""
        if not self._starts[partition] <= offset < self._ends[partition]:
            return None
        point = bisect_right(self._offsets[partition], offset)
        return self._times[point - 1] if point else None
