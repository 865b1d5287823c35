"""One transaction's worth of work, before anything is sent: records, quarantine notes, books.

Nothing here talks to a broker or reads a clock. A batch is thrown away as it is when its transaction aborts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipelines.relay.accounting import Books, PartitionBook
from pipelines.relay.window import Headers, ViewWindow

# The system's randomness: the order of records without a handle must not be predictable.
_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A minimized record, ready for a producer. `timestamp_ms` is floored; `key` is the handle or nothing."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, str | bytes | None]]
    timestamp_ms: int


# (topic, window of the view, index of the event's id in it, key, value)
Pending = tuple[str, ViewWindow, int, bytes | None, bytes]


@dataclass(slots=True)
class Batch:
    """What a transaction will hold. `now_ms` is the wall clock when the batch was polled.

    `events` are the raw events in it.
    `ordered` keeps the raw order; `loose` (records without a handle) is shuffled before it is sent.
    `reasons` counts quarantined events by (raw topic, reason); metrics read it after the commit.
    """

    now_ms: int
    events: int = 0
    books: Books = field(default_factory=dict)
    ordered: list[Pending] = field(default_factory=list)
    loose: list[Pending] = field(default_factory=list)
    quarantine: list[bytes] = field(default_factory=list)
    windows: dict[int, ViewWindow] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def book(self, committed: Books, raw_topic: str, partition: int) -> PartitionBook:
        """The batch's own copy of a partition's books."""
        key = (raw_topic, partition)
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = committed[key].copy()
        return book

    def records(self) -> Iterator[Outgoing]:
        """The minimized records in the order to send them in, each with its event id.

        Call it once. Records without a handle come last, in an order that says nothing about arrival.
        """
        for window in self.windows.values():
            window.seal()
        _RANDOM.shuffle(self.loose)
        for pending in (self.ordered, self.loose):
            for topic, window, index, key, value in pending:
                headers: list[tuple[str, str | bytes | None]] = [("ce_id", window.ids[index]), *_others(window, key)]
                yield Outgoing(topic, key, value, headers, window.timestamp_ms)


def _others(window: ViewWindow, key: bytes | None) -> Headers:
    return window.bare_headers if key is None else window.headers
