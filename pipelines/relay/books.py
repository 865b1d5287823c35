"""The books of a raw partition: how many events came in, and what became of each of them in each view.

The counts are cumulative from the first event that the group ever read, so that they balance forever, for every view:

    in - since = out + quarantined + expired + suspended

`since` is the partition's `in` when the view began. `gap` counts the offsets that expired before they were read. How
they are kept, and where, is in `accounting`. This file never reads an event. It is compiled, as each event is written
in the books.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class ViewBook:
    """What became of the events that one view was shown."""

    since: int = 0
    out: int = 0
    quarantined: int = 0
    expired: int = 0
    suspended: int = 0

    @property
    def accounted(self) -> int:
        """The events whose fate in this view is known."""
        return self.out + self.quarantined + self.expired + self.suspended


@dataclass(slots=True)
class PartitionBook:
    """The books of one raw partition; `next_offset` is where reading goes on.

    Known to this worker alone, and not committed: `newest_ms`, the broker time of the last event in the books (0: none
    yet), and what was found when these books were read: `gap_found`, the part of `gap` that was new, and `end_found`,
    the partition's end.
    """

    next_offset: int
    events_in: int = 0
    gap: int = 0
    views: dict[str, ViewBook] = field(default_factory=dict)
    newest_ms: int = field(default=0, compare=False)
    gap_found: int = field(default=0, compare=False)
    end_found: int | None = field(default=None, compare=False)

    def open_views(self, topics: Iterable[str]) -> None:
        """Begin the books of views that have none yet, at this partition's present count."""
        for topic in topics:
            if topic not in self.views:
                self.views[topic] = ViewBook(since=self.events_in)

    def copy(self) -> PartitionBook:
        """Books that a batch can write in, to be thrown away if it aborts."""
        views = {
            topic: ViewBook(book.since, book.out, book.quarantined, book.expired, book.suspended)
            for topic, book in self.views.items()
        }
        return PartitionBook(self.next_offset, self.events_in, self.gap, views, self.newest_ms)

    def close_views(self, topics: Iterable[str]) -> None:
        """Forget the views that the contract no longer has; their records are in their topics until they expire."""
        keep = set(topics)
        self.views = {topic: book for topic, book in self.views.items() if topic in keep}

    def imbalances(self) -> list[str]:
        """The views (topics) whose identity does not hold; empty when the books balance."""
        return [topic for topic, book in self.views.items() if self.events_in - book.since != book.accounted]


Books = dict[tuple[str, int], PartitionBook]
