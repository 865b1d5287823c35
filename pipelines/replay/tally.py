"""What a replay did, view by view. It travels as the metadata of the replay's offsets, within their transaction.

So the counts are true after any interruption, and those of a repeated replay are of all its runs:

    in = out + already there + quarantined + expired + too late + suspended

`expired`: the raw event is deleted, or past its own TTL. `too_late`: older than the topic's `late`. `already`: the
topic has the record. An event that faults again counts as quarantined, also when quarantine has that note already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Self

import orjson

from pipelines.relay.accounting import METADATA_LIMIT_BYTES
from pipelines.relay.books import PartitionBook

_FORMAT = 1


@dataclass(slots=True)
class ViewTally:
    """Of one view (topic)."""

    events_in: int = 0
    out: int = 0
    already: int = 0
    quarantined: int = 0
    expired: int = 0
    too_late: int = 0
    suspended: int = 0

    @property
    def is_balanced(self) -> bool:
        """Whether the fate of every event is known."""
        fates: tuple[int, ...] = astuple(self)[1:]
        return self.events_in == sum(fates)


@dataclass(slots=True)
class Tally:
    """`batches` committed so far, raw events `taken`, raw offsets `lost` (nobody can read them), each view's counts."""

    batches: int = 0
    taken: int = 0
    lost: int = 0
    views: dict[str, ViewTally] = field(default_factory=dict)

    def view(self, topic: str) -> ViewTally:
        """A view's counts, from 0 on."""
        return self.views.setdefault(topic, ViewTally())

    def copy(self) -> Tally:
        """Counts that a batch can add to, to be thrown away if it aborts."""
        return Tally.from_document(self.to_document())

    def begin(self, topics: Iterable[str], gone: Iterable[Iterable[str]]) -> None:
        """Show every view, if only with zeros, and count the events that are deleted already."""
        for topic in topics:
            self.view(topic)
        for views in gone:
            self.expire(views)

    def expire(self, topics: Iterable[str]) -> None:
        """Count an event as expired for these views."""
        for topic in topics:
            view = self.view(topic)
            view.events_in += 1
            view.expired += 1

    def add(self, book: PartitionBook) -> None:
        """Add what a lane wrote in a book that began empty."""
        for topic, fates in book.views.items():
            view = self.view(topic)
            view.events_in += book.events_in
            view.out += fates.out
            view.quarantined += fates.quarantined
            view.too_late += fates.expired
            view.suspended += fates.suspended

    def hold_back(self, topic: str) -> None:
        """One record that a lane gave out is in its topic already."""
        view = self.view(topic)
        view.out -= 1
        view.already += 1

    def to_document(self) -> dict[str, Any]:
        """The counts in JSON's types."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """What `to_document` gave."""
        views = {topic: ViewTally(**counts) for topic, counts in document["views"].items()}
        return cls(**{**document, "views": views})

    def to_metadata(self) -> str:
        """The counts as offset metadata.

        Raises:
            ValueError: more views than fit, which the contract's own check refuses.
        """
        views = {topic: astuple(view) for topic, view in self.views.items()}
        text = orjson.dumps([_FORMAT, self.batches, self.taken, self.lost, views]).decode("ascii")
        if len(text) > METADATA_LIMIT_BYTES:
            raise ValueError(f"the counts of {len(views)} views exceed {METADATA_LIMIT_BYTES} bytes")
        return text

    @classmethod
    def from_metadata(cls, metadata: str) -> Self | None:
        """Read counts back; None when the text is not a replay's."""
        try:
            form, batches, taken, lost, views = orjson.loads(metadata)
            read = {str(topic): _view(counts) for topic, counts in views.items()}
            return cls(_count(batches), _count(taken), _count(lost), read) if form == _FORMAT else None
        except (ValueError, TypeError, AttributeError):
            return None


def _view(counts: object) -> ViewTally:
    match counts:
        case [_, _, _, _, _, _, _]:
            return ViewTally(*map(_count, counts))
    raise ValueError("those are not a view's seven counts")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("that is not a count")
