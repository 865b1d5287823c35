"""The intake: polled messages into a batch, each by the lane of its event type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipelines.relay.batch import Batch
from pipelines.relay.books import Books, PartitionBook
from pipelines.relay.lane import NO_BROKER_TIME, UNREADABLE, Lane, Raw
from pipelines.relay.suspects import Span

_BROKER_TIME: Final = 2  # librdkafka's LogAppendTime


class Intake:
    """Of one worker.

    Args:
        lanes: raw topic → the lane of its event type.
    """

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = dict(lanes)

    def take(self, batch: Batch, books: Books, messages: Iterable[Any]) -> None:
        """Minimize them all into the batch. `books` are the committed ones, which the batch copies.

        Raises:
            Trouble: the keyring has no root for an event's epoch (exit 3); the batch must then be thrown away.
        """
        topic, partition = "", -1
        lane: Lane | None = None
        book: PartitionBook | None = None
        for message in messages:
            # Named with their types, which compiled code then compares without asking what they are.
            its_topic: str = message.topic()
            its_partition: int = message.partition()
            if lane is None or book is None or its_partition != partition or its_topic != topic:
                topic, partition = its_topic, its_partition
                lane, book = self._lanes[topic], batch.book(books, topic, partition)
            time: tuple[int, int] = message.timestamp()
            kind, timestamp_ms = time
            raw = Raw(partition, message.offset(), timestamp_ms, message.value())
            if kind != _BROKER_TIME:
                lane.refuse(batch, book, raw, NO_BROKER_TIME)
                continue
            lane.take(batch, book, raw)

    def give_up(self, batch: Batch, books: Books, span: Span) -> None:
        """Quarantine what nobody can read."""
        lane, book = self._lanes[span.topic], batch.book(books, span.topic, span.partition)
        for offset in range(span.first, span.end):
            lane.refuse(batch, book, Raw(span.partition, offset, 0, None), UNREADABLE)
