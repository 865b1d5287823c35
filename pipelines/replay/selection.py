"""Which raw events a replay takes, and for which of their views. Pure.

A time range takes all events of it for the same views; places (the coordinates that quarantine notes hold) take each
event for the views that failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pipelines.retention import SLACK_MS

Views = tuple[str, ...]
Spans = dict[int, list[tuple[int, int]]]
"""By partition: stretches of offsets, from the first up to but without the second, ascending."""


class Edges(NamedTuple):
    """A raw partition: its log start and end, and the first offsets at or after two times (the end, if there is none).

    `after` is that of a range's end, a little later: brokers whose clocks differ may append out of order.
    """

    start: int
    end: int
    since: int
    after: int


class Selection(Protocol):
    """What a replay takes."""

    @property
    def since_ms(self) -> int:
        """No taken event has an earlier broker time."""

    @property
    def topics(self) -> Views:
        """The topics of all views that any event is taken for."""

    @property
    def until_ms(self) -> int:
        """No taken event has this broker time or a later one."""

    def views(self, partition: int, offset: int, timestamp_ms: int) -> Views:
        """The topics of the views that an event is taken for; none when it is not taken."""

    def spans(self, edges: Mapping[int, Edges]) -> Spans:
        """Where in each partition the taken events lie."""

    def gone(self, edges: Mapping[int, Edges]) -> list[Views]:
        """The views of each event that was taken by its place and is deleted."""

    def spelled(self) -> list[object]:
        """All that this selection is, in JSON's types and always in the same order."""


@dataclass(frozen=True, slots=True)
class ByTime:
    """The events with a broker time in [since_ms, until_ms), all for the same views."""

    since_ms: int
    until_ms: int
    topics: Views

    def views(self, _partition: int, _offset: int, timestamp_ms: int) -> Views:
        """See `Selection`."""
        return self.topics if self.since_ms <= timestamp_ms < self.until_ms else ()

    def spans(self, edges: Mapping[int, Edges]) -> Spans:
        """See `Selection`."""
        return {number: [(edge.since, edge.after)] for number, edge in edges.items() if edge.since < edge.after}

    def gone(self, _edges: Mapping[int, Edges]) -> list[Views]:
        """None: how many events a time once held is not known."""
        return []

    def spelled(self) -> list[object]:
        """See `Selection`."""
        return ["time", self.since_ms, self.until_ms, sorted(self.topics)]


class Place(NamedTuple):
    """A raw event that was noted: what is to be tried again, and when the note was written (broker time, ms).

    `ahead`: it was noted because its own broker time was later than that.
    """

    views: Views
    noted_ms: int
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class ByPlace:
    """Events by (partition, offset). None of them is older than `since_ms`, or it is past the raw topic's TTL.

    Two places that are `far` offsets or more apart are sought one by one; between nearer ones all is read.
    """

    places: Mapping[tuple[int, int], Place]
    since_ms: int
    far: int = 10_000

    @property
    def topics(self) -> Views:
        """See `Selection`."""
        return tuple(sorted({topic for place in self.places.values() for topic in place.views}))

    @property
    def until_ms(self) -> int:
        """See `Selection`."""
        return max((place.noted_ms for place in self.places.values()), default=0) + SLACK_MS

    def views(self, partition: int, offset: int, timestamp_ms: int) -> Views:
        """See `Selection`. A record that came after its note is another one, of a topic that was made anew.

        An event that was ahead has a later time than its note, so its time is not compared. Event ids hold the topic's
        id: another record in its place, which the relay has relayed, is found among those that are there.
        """
        place = self.places.get((partition, offset))
        if place is None or (timestamp_ms > place.noted_ms + SLACK_MS and not place.ahead):
            return ()
        return place.views

    def spans(self, edges: Mapping[int, Edges]) -> Spans:
        """See `Selection`."""
        spans: Spans = {}
        for partition, offset in sorted(self.places):
            if partition not in edges or not edges[partition].start <= offset < edges[partition].end:
                continue
            mine = spans.setdefault(partition, [])
            if mine and offset - mine[-1][1] < self.far:
                mine[-1] = (mine[-1][0], offset + 1)
            else:
                mine.append((offset, offset + 1))
        return spans

    def gone(self, edges: Mapping[int, Edges]) -> list[Views]:
        """See `Selection`."""
        return [
            place.views
            for (partition, offset), place in sorted(self.places.items())
            if partition not in edges or not edges[partition].start <= offset < edges[partition].end
        ]

    def spelled(self) -> list[object]:
        """See `Selection`."""
        places = [[*where, sorted(place.views)] for where, place in sorted(self.places.items())]
        # What was too early at the last attempt may have its time by now: that is another replay, which begins anew.
        until: list[object] = [self.until_ms] if any(place.ahead for place in self.places.values()) else []
        return ["places", places, *until]
