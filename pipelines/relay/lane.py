"""A lane: the way of one event type's raw events into a batch.

An event's fate is a value here. In every view it is exactly one of: out, quarantined, expired, suspended.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.contract.model import Contract, Event
from pipelines.envelope import Kind
from pipelines.keys import SubkeySource, block_in, partition_head
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.relay.batch import Batch
from pipelines.relay.books import PartitionBook, ViewBook
from pipelines.relay.parcel import Parcel
from pipelines.relay.window import Handler, ViewPlan, ViewWindow, Window, Windows

# Kafka's default message.max.bytes, before compression: a record that only compression made so small is an attack on
# whoever unpacks it, or a mistake.
LARGEST_RAW_BYTES = 1_048_576
# A batch has overhead; what is larger than this could never be delivered.
LARGEST_VALUE_BYTES = 900_000

# The raw value, or a minimized one, is beyond the limits above.
TOO_LARGE = Fault("too_large", "")
# The record's time is its producer's: it was written before the topic had LogAppendTime.
NO_BROKER_TIME = Fault("no_broker_time", "")
# The record's broker time is later than this worker and the brokers believe: its leader's clock was wrong.
AHEAD_OF_CLOCK = Fault("ahead_of_clock", "")
# The Kafka client cannot unpack the batch that the record came in; nobody has seen it.
UNREADABLE = Fault("unreadable", "")
# The minimizer itself failed on this event; worth a report with the event type.
INTERNAL = Fault("internal", "")


Outcome = Fault | list[Minimized | Fault | None]


class Raw:
    """A raw record: its place, its broker time (ms), its value (None: a tombstone, a structural fault like any).

    One is made for every event, and a dataclass would be made by interpreted code even where this is compiled.
    """

    __slots__ = ("offset", "partition", "timestamp_ms", "value")

    def __init__(self, partition: int, offset: int, timestamp_ms: int, value: bytes | None) -> None:
        self.partition = partition
        self.offset = offset
        self.timestamp_ms = timestamp_ms
        self.value = value


class Lane:
    """Compiled once from a valid contract; `topic_hash` (4 bytes) is that of the raw topic's id.

    `largest_value_bytes` is how large a minimized value may be.
    """

    def __init__(self, contract: Contract, event: Event, keys: SubkeySource, topic_hash: bytes) -> None:
        self.event = event
        self.program = compile_event(event)
        self.plans = [ViewPlan.of(contract, event, view) for view in self.program.views]
        self.topics = [plan.topic.name for plan in self.plans]
        self.largest_value_bytes = LARGEST_VALUE_BYTES
        self._raw_topic = event.raw_topic
        self._topic_hash = topic_hash
        self._windows = Windows(self.plans, keys)
        self._late = [plan.topic.late_ms for plan in self.plans]
        self._shortest_late = min(self._late, default=0)
        # What the last event had, which the next one mostly has too.
        self._batch: Batch | None = None
        self._window: Window | None = None
        self._ordered: list[Parcel | None] = []
        self._loose: list[Parcel | None] = []
        self._book: PartitionBook | None = None
        self._views: list[ViewBook] = []
        self._partition = -1
        self._head = b""

    def take(self, batch: Batch, book: PartitionBook, raw: Raw) -> None:
        """Minimize one raw event into the batch and write its fate in the books.

        Raises:
            Trouble: the keyring has no root for the event's epoch (exit 3); the batch must then be thrown away.
        """
        timestamp_ms, value = raw.timestamp_ms, raw.value
        if timestamp_ms > batch.now_ms:
            if timestamp_ms > batch.newest_ms:
                # Before anything else: there may be no key for that time, and no topic takes it.
                batch.ahead += 1
                batch.ahead_ms = max(batch.ahead_ms, timestamp_ms - batch.newest_ms)
                self.refuse(batch, book, raw, AHEAD_OF_CLOCK)
                return
            # A worker whose clock is behind would relay what is past its time, and that would outlive its TTL.
            batch.now_ms = timestamp_ms
        window = self._window
        if window is None or not window.start_ms <= timestamp_ms < window.end_ms:
            window = self._windows.at(timestamp_ms)
        if batch is not self._batch or window is not self._window:
            self._open_parcels(batch, window)
        if book is not self._book:
            self._book, self._views = book, [book.views[topic] for topic in self.topics]
        handlers = window.handlers
        age_ms = batch.now_ms - timestamp_ms
        if age_ms > self._shortest_late:
            handlers = [None if age_ms > late else handler for handler, late in zip(handlers, self._late, strict=True)]
        book.next_offset = raw.offset + 1
        book.newest_ms = timestamp_ms
        book.events_in += 1
        result: Outcome = TOO_LARGE
        if value is None or len(value) <= LARGEST_RAW_BYTES:
            result = self._minimize(value, handlers, timestamp_ms)
        if isinstance(result, Fault):
            fates = zip(self.topics, handlers, window.views, strict=True)
            quarantined = [topic for topic, handler, view in fates if handler or self._skip(book, topic, view)]
            self._quarantine_event(batch, book, raw, result, quarantined)
            return
        if raw.partition != self._partition:
            self._partition, self._head = raw.partition, partition_head(self._topic_hash, raw.partition)
        block = block_in(self._head, raw.offset)
        index = -1
        for minimized in result:
            index += 1
            if isinstance(minimized, Minimized) and len(minimized.value) <= self.largest_value_bytes:
                self._views[index].out += 1
                parcel = self._loose[index] if minimized.key is None else self._ordered[index]
                assert parcel is not None  # noqa: S101 - only a suspended view has none, and it was left out
                parcel.put(block, minimized.key, minimized.value)
            elif minimized is None:
                self._skip(book, self.topics[index], window.views[index])
            else:
                fault = minimized if isinstance(minimized, Fault) else TOO_LARGE
                self._views[index].quarantined += 1
                self._note(batch, raw, self.topics[index], fault)

    def _open_parcels(self, batch: Batch, window: Window) -> None:
        """Begin new parcels: what comes now has another time, or goes into another transaction."""
        self._batch, self._window = batch, window
        self._ordered, self._loose = [], []
        for topic, view in zip(self.topics, window.views, strict=True):
            ordered: Parcel | None = None
            loose: Parcel | None = None
            if view.subkeys is not None:
                ordered = Parcel(topic, view.timestamp_ms, view.headers, view.subkeys)
                batch.ordered.append(ordered)
                bare = Parcel(topic, view.timestamp_ms, view.bare_headers, view.subkeys)
                loose = batch.loose.setdefault((self.event.name, topic, view.timestamp_ms), bare)
            self._ordered.append(ordered)
            self._loose.append(loose)

    def _minimize(self, value: bytes | None, handlers: Sequence[Handler | None], broker_ms: int) -> Outcome:
        try:
            return self.program.minimize(value, handlers, broker_ms)
        except Exception:  # noqa: BLE001 - a fault of ours on one event must not stop the others; its text may hold values
            return INTERNAL

    def refuse(self, batch: Batch, book: PartitionBook, raw: Raw, fault: Fault) -> None:
        """Quarantine a whole event that cannot even be given to the walk; no view's own conditions are asked."""
        book.next_offset = raw.offset + 1
        book.events_in += 1
        self._quarantine_event(batch, book, raw, fault, self.topics)

    def _quarantine_event(
        self, batch: Batch, book: PartitionBook, raw: Raw, fault: Fault, topics: Sequence[str]
    ) -> None:
        for topic in topics:
            book.views[topic].quarantined += 1
        if topics:
            self._note(batch, raw, None, fault)

    @staticmethod
    def _skip(book: PartitionBook, topic: str, window: ViewWindow) -> bool:
        """Count an event that the view was not shown; always False."""
        if window.subkeys is None:
            book.views[topic].suspended += 1
        else:
            book.views[topic].expired += 1
        return False

    def _note(self, batch: Batch, raw: Raw, view: str | None, fault: Fault) -> None:
        batch.reasons[self._raw_topic, fault.code] += 1
        kind = Kind(self._raw_topic, raw.partition, self.event.name, view, fault.code, fault.path)
        batch.note(kind, raw.offset)
