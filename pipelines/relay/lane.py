"""A lane: the way of one event type's raw events into a batch.

An event's fate is a value here. In every view it is exactly one of: out, quarantined, expired, suspended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.contract.model import Contract, Event
from pipelines.envelope import quarantine_record
from pipelines.keys import SubkeySource, event_block
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.relay.accounting import PartitionBook
from pipelines.relay.batch import Batch
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
# The Kafka client cannot unpack the batch that the record came in; nobody has seen it.
UNREADABLE = Fault("unreadable", "")
# The minimizer itself failed on this event; worth a report with the event type.
INTERNAL = Fault("internal", "")


Outcome = Fault | list[Minimized | Fault | None]


class Raw(NamedTuple):
    """A raw record: its place, its broker time (ms), its value (None: a tombstone, a structural fault like any)."""

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


class Lane:
    """Compiled once from a valid contract; `topic_hash` (4 bytes) is that of the raw topic's id."""

    def __init__(self, contract: Contract, event: Event, keys: SubkeySource, topic_hash: bytes) -> None:
        self.event = event
        self.program = compile_event(event)
        self.plans = [ViewPlan.of(contract, event, view) for view in self.program.views]
        self.topics = [plan.topic.name for plan in self.plans]
        self._raw_topic = event.raw_topic
        self._topic_hash = topic_hash
        self._windows = Windows(self.plans, keys)
        self._window: Window | None = None
        self._late = [plan.topic.late_ms for plan in self.plans]
        self._shortest_late = min(self._late, default=0)

    def take(self, batch: Batch, book: PartitionBook, raw: Raw) -> None:
        """Minimize one raw event into the batch and write its fate in the books.

        Raises:
            Trouble: the keyring has no root for the event's epoch (exit 3); the batch must then be thrown away.
        """
        partition, offset, timestamp_ms, value = raw
        window = self._window
        if window is None or not window.start_ms <= timestamp_ms < window.end_ms:
            window = self._window = self._windows.at(timestamp_ms)
        handlers = window.handlers
        age_ms = batch.now_ms - timestamp_ms
        if age_ms > self._shortest_late:
            handlers = [None if age_ms > late else handler for handler, late in zip(handlers, self._late, strict=True)]
        book.next_offset = offset + 1
        book.newest_ms = timestamp_ms
        book.events_in += 1
        result: Outcome = TOO_LARGE
        if value is None or len(value) <= LARGEST_RAW_BYTES:
            result = self._minimize(value, handlers)
        if isinstance(result, Fault):
            fates = zip(self.topics, handlers, window.views, strict=True)
            quarantined = [topic for topic, handler, view in fates if handler or self._skip(book, topic, view)]
            self._quarantine_event(batch, book, raw, result, quarantined)
            return
        block = event_block(self._topic_hash, partition, offset)
        for index, minimized in enumerate(result):
            topic = self.topics[index]
            if minimized is None:
                self._skip(book, topic, window.views[index])
                continue
            if isinstance(minimized, Fault):
                book.views[topic].quarantined += 1
                self._note(batch, raw, topic, minimized)
                continue
            if len(minimized.value) > LARGEST_VALUE_BYTES:
                book.views[topic].quarantined += 1
                self._note(batch, raw, topic, TOO_LARGE)
                continue
            book.views[topic].out += 1
            view_window = window.views[index]
            batch.windows[id(view_window)] = view_window
            pending = (topic, view_window, len(view_window.blocks), minimized.key, minimized.value)
            view_window.blocks.append(block)
            (batch.loose if minimized.key is None else batch.ordered).append(pending)

    def _minimize(self, value: bytes | None, handlers: Sequence[Handler | None]) -> Outcome:
        try:
            return self.program.minimize(value, handlers)
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
        batch.quarantine.append(
            quarantine_record(
                topic=self._raw_topic,
                partition=raw.partition,
                offset=raw.offset,
                event=self.event.name,
                view=view,
                code=fault.code,
                path=fault.path,
            )
        )
