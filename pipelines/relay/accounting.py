"""The books of a raw partition: how many events came in, and what became of each of them in each view.

The counts are cumulative from the first event that the group ever read. They travel as the committed offset's
metadata, inside the transaction that the events travel in (KIP-98, OffsetCommitRequest `metadata`), so they are true
after any crash, and anyone who may read the group's offsets can check, for every view:

    in - since = out + quarantined + expired + suspended

`since` is the partition's `in` when the view began. `gap` counts the offsets that expired before they were read.
This file never reads an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_FORMAT = 1
# One less than Kafka's offset.metadata.max.bytes: confluent-kafka sends the text with the NUL at its end.
METADATA_LIMIT_BYTES = 4095


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
    yet), and `gap_found`, the part of `gap` that was found when these books were read.
    """

    next_offset: int
    events_in: int = 0
    gap: int = 0
    views: dict[str, ViewBook] = field(default_factory=dict)
    newest_ms: int = field(default=0, compare=False)
    gap_found: int = field(default=0, compare=False)

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

    def to_metadata(self) -> str:
        """The books as offset metadata (ASCII JSON, at most 4,095 bytes).

        Raises:
            ValueError: more views than fit, which the contract's own check refuses.
        """
        views = {t: [b.since, b.out, b.quarantined, b.expired, b.suspended] for t, b in self.views.items()}
        text = orjson.dumps({"v": _FORMAT, "in": self.events_in, "gap": self.gap, "views": views}).decode("ascii")
        if len(text) > METADATA_LIMIT_BYTES:
            raise ValueError(f"the books of {len(self.views)} views exceed {METADATA_LIMIT_BYTES} bytes")
        return text

    @classmethod
    def from_metadata(cls, next_offset: int, metadata: str | None) -> PartitionBook:
        """Read books back.

        Raises:
            ValueError: the metadata is not books that this version understands; the message holds none of it.
        """
        try:
            document: Any = orjson.loads(metadata or "")
        except orjson.JSONDecodeError:
            raise ValueError("the offset's metadata is not JSON") from None
        if not isinstance(document, dict) or document.get("v") != _FORMAT:
            raise ValueError(f"the offset's metadata is not books of format {_FORMAT}")
        views = document.get("views")
        if not isinstance(views, dict):
            raise ValueError("the offset's metadata holds no views")  # noqa: TRY004 - one error for a bad document
        return cls(
            next_offset,
            _count(document.get("in")),
            _count(document.get("gap")),
            {str(topic): _view_book(counts) for topic, counts in views.items()},
        )


def _view_book(counts: object) -> ViewBook:
    match counts:
        case [since, out, quarantined, expired, suspended]:
            return ViewBook(_count(since), _count(out), _count(quarantined), _count(expired), _count(suspended))
    raise ValueError("the offset's metadata holds a view without its five counts")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("the offset's metadata holds something that is not a count")


Books = dict[tuple[str, int], PartitionBook]


@dataclass(slots=True)
class Flow:
    """What one view was shown, and what became of it, over all partitions of a raw topic."""

    shown: int = 0
    out: int = 0
    quarantined: int = 0
    expired: int = 0
    suspended: int = 0


def flows(books: Mapping[tuple[str, int], PartitionBook]) -> dict[str, dict[str, Flow]]:
    """The books by raw topic and minimized topic, summed over partitions."""
    sums: dict[str, dict[str, Flow]] = {}
    for (raw_topic, _), book in sorted(books.items()):
        for topic, view in book.views.items():
            into = sums.setdefault(raw_topic, {}).setdefault(topic, Flow())
            into.shown += book.events_in - view.since
            into.out += view.out
            into.quarantined += view.quarantined
            into.expired += view.expired
            into.suspended += view.suspended
    return sums
