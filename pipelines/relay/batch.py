"""One transaction's worth of work, before anything is sent: records, quarantine notes, books.

Nothing here talks to a broker or reads a clock. A batch is thrown away as it is when its transaction aborts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipelines.envelope import Kind, quarantine_records
from pipelines.relay.books import Books, PartitionBook
from pipelines.relay.parcel import Header, Parcel
from pipelines.retention import AHEAD_MS, SLACK_MS

_DRAWN: Final = 8  # bytes of randomness a record


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A minimized record, as it is sent. `timestamp_ms` is floored; `key` is the handle or nothing."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[Header]
    timestamp_ms: int


@dataclass(slots=True)
class Batch:
    """What a transaction will hold. `now_ms` is the believed time when the batch was polled, or that of a later event.

    `events` are the raw events in it. `newest_ms` is the latest broker time that an event may have: the believed time
    and `AHEAD_MS`. The `ahead` events were later than that, by at most `ahead_ms`.
    `ordered` are parcels that keep the raw order; a topic's next parcel holds what came after its last one.
    `loose` are those of records without a handle, by event type, topic and time; they are shuffled before they are
    sent.
    `quarantine` has the raw offsets of what is noted, ascending, by what alike notes share.
    `reasons` counts quarantined events by (raw topic, reason); metrics read it after the commit.
    """

    now_ms: int
    events: int = 0
    books: Books = field(default_factory=dict)
    ordered: list[Parcel] = field(default_factory=list)
    loose: dict[tuple[str, str, int], Parcel] = field(default_factory=dict)
    quarantine: dict[Kind, list[int]] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    newest_ms: int = field(init=False)
    ahead: int = 0
    ahead_ms: int = 0

    def __post_init__(self) -> None:
        self.newest_ms = self.now_ms + AHEAD_MS

    @property
    def doubts_clock(self) -> bool:
        """Whether an event was so far ahead of the believed time that a broker should be asked for the time."""
        return self.ahead > 0 or self.now_ms > self.newest_ms - AHEAD_MS + SLACK_MS

    def book(self, committed: Books, raw_topic: str, partition: int) -> PartitionBook:
        """The batch's own copy of a partition's books."""
        key = (raw_topic, partition)
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = committed[key].copy()
        return book

    def note(self, kind: Kind, offset: int) -> None:
        """Note a raw record that could not be minimized.

        Raises:
            ValueError: a note cannot say this. The message does not repeat it.
        """
        offsets = self.quarantine.get(kind)
        if offsets is None:
            kind.check()
            offsets = self.quarantine[kind] = []
        offsets.append(offset)

    def notes(self) -> Iterator[bytes]:
        """The records of quarantine; many alike notes are one of them, which counts."""
        for kind, offsets in self.quarantine.items():
            yield from quarantine_records(kind, offsets)

    def parcels(self) -> list[Parcel]:
        """What is sent, in the order to send it in; records without a handle last, in none that tells of arrival."""
        loose = list(self.loose.values())
        for parcel in loose:
            parcel.arrange(_any_order(parcel.size()))
        loose = [loose[place] for place in _any_order(len(loose))]
        return [parcel for parcel in (*self.ordered, *loose) if parcel.size()]

    def records(self) -> Iterator[Outgoing]:
        """The minimized records one by one, each with its event id, in an order in which they may be sent."""
        for parcel in self.parcels():
            for key, value, event_id in parcel.records():
                yield Outgoing(parcel.topic, key, value, [("ce_id", event_id), *parcel.headers], parcel.timestamp_ms)


def _any_order(size: int) -> list[int]:
    """A permutation that nobody can foretell: the places in the order of numbers drawn from the system."""
    drawn = os.urandom(_DRAWN * size)
    return sorted(range(size), key=lambda place: drawn[_DRAWN * place : _DRAWN * (place + 1)])
