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
    """What a transaction will hold. `now_ms` is the wall clock when the batch was polled.

    `events` are the raw events in it.
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
