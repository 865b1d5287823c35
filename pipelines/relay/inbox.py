"""The consumer's side of a worker: its partitions, where each stands, and the books that stand there.

The committed offset and its metadata are the only truth about a position. They are read when a partition is assigned
and after every failed batch; what the client believes in between is thrown away. Any rebalance rewinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.broker import Consumer, KafkaError, KafkaException, Message, TopicPartition
from pipelines.relay.accounting import Books, PartitionBook
from pipelines.relay.metrics import GAP
from pipelines.relay.station import Station
from pipelines.relay.steps import Step
from pipelines.trouble import Exit, Trouble

# A stable OffsetFetch waits for the transaction of whoever held the partition before, up to its timeout and a sweep.
_COMMITTED_WAIT_S = 60.0
_WATERMARK_WAIT_S = 10.0
_DENIED = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})


class ConsumerLostError(Exception):
    """The consumer cannot go on; a new one can. Holds the error's name only."""


@dataclass(frozen=True, slots=True)
class Polled:
    """Events, and in whose name their offsets may be committed.

    `membership` is the group's metadata of this poll and not of the commit: a member that the group has put out
    meanwhile forgets who it was, and offsets that are sent in nobody's name are not checked by the broker (KIP-447).
    """

    events: list[Message]
    membership: object


class Inbox:
    """Owns the consumer of one slot, and the books of the partitions that it holds.

    Args:
        views: raw topic → the minimized topics of its views.
    """

    def __init__(self, station: Station, views: Mapping[str, Sequence[str]]) -> None:
        self._station = station
        self._settings = station.settings
        self._views = views
        self._log = station.log
        self._consumer: Consumer | None = None
        self._rebalanced = False
        self._lost_position = False
        self.books: Books = {}
        self.unsaved: dict[tuple[str, int], int] = {}  # gaps that are in the books here but not yet in a commit

    def open(self) -> None:
        """Join the group. Replaces a consumer that is lost."""
        self.close()
        self._consumer = self._station.cluster.consumer(**self._config())
        self._consumer.subscribe(
            list(self._views), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def close(self) -> None:
        """Leave, without committing anything."""
        consumer, self._consumer = self._consumer, None
        self.books, self.unsaved = {}, {}
        self._rebalanced = self._lost_position = False
        if consumer is not None:
            consumer.close()

    def poll(self) -> Polled | None:
        """The next events, if there are any and this worker may commit them; else None, and ask again.

        Raises:
            ConsumerLostError: the consumer must be replaced.
            Trouble: the cluster refuses this worker, or an offset is not a minimizer's.
        """
        try:
            messages = self._open_consumer().consume(self._settings.batch_events, self._settings.linger_ms / 1000)
        except KafkaException as failure:
            raise ConsumerLostError(failure.args[0].name()) from None
        events = []
        for message in messages:
            error = message.error()
            if error is None:
                events.append(message)
            else:
                self._heed(error, message.topic(), message.partition())
        rebalanced, self._rebalanced = self._rebalanced, False
        if not events and not self.unsaved and not self._lost_position:
            return None
        membership = self._membership()
        if membership is None:
            self._log.warning("batch.failed", reason="not_a_member", events=len(events))
        if membership is None or self._lost_position or (rebalanced and events):
            self.rewind()
            return None
        return Polled(events, membership)

    def offsets(self, books: Books) -> list[TopicPartition]:
        """What a transaction commits: each partition's next offset, with its books."""
        return [
            TopicPartition(topic, partition, book.next_offset, book.to_metadata())
            for (topic, partition), book in books.items()
        ]

    def advance(self, books: Books) -> None:
        """Take over the books of a committed batch."""
        self.books.update(books)
        for partition in self.unsaved.keys() & books.keys():
            GAP.labels(partition[0]).inc(self.unsaved.pop(partition))

    def rewind(self) -> None:
        """Go back to the committed offsets of every partition held.

        Raises:
            ConsumerLostError: the offsets cannot be had or sought.
        """
        consumer = self._open_consumer()
        try:
            positions = self._read_positions([TopicPartition(*key) for key in self.books])
            for position in positions:
                consumer.seek(position)
        except KafkaException as failure:
            raise ConsumerLostError(failure.args[0].name()) from None
        self._rebalanced = self._lost_position = False

    def lag(self) -> dict[str, int]:
        """Raw offsets not yet committed, by raw topic, as of the last fetch from each partition."""
        consumer, sums = self._open_consumer(), dict.fromkeys(self._views, 0)
        for (topic, partition), book in self.books.items():
            _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            sums[topic] += max(0, high - book.next_offset)
        return sums

    def _open_consumer(self) -> Consumer:
        if self._consumer is None:
            raise ConsumerLostError("closed")
        return self._consumer

    def _membership(self) -> object | None:
        """The group's metadata, unless the group has put this member out since the events came."""
        consumer = self._open_consumer()
        # The same member before and after: so it was that one's metadata. (A new membership begins within a poll.)
        member = consumer.memberid()
        metadata: object = consumer.consumer_group_metadata()
        return metadata if member and consumer.memberid() == member else None

    def _heed(self, error: KafkaError, topic: str | None, partition: int | None) -> None:
        """Deal with an error that came in place of an event."""
        # A consumer that met a fatal error says so in an event whose own flag is not set.
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's local codes are spelled so
            raise ConsumerLostError(error.name())
        if error.code() in _DENIED:
            raise Trouble(
                f"the cluster refuses the group {self._settings.group}: {error.name()}",
                hint="Give the worker's principal READ on the raw topics and on the group.",
            )
        if error.code() == KafkaError.INVALID_SESSION_TIMEOUT:
            raise Trouble(
                f"the brokers do not take a session timeout of {self._settings.session_timeout_ms} ms",
                hint="Their group.min.session.timeout.ms and group.max.session.timeout.ms say what they take.",
            )
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - librdkafka's local codes are spelled so
            self._lost_position = True  # reading it again finds and counts the gap
        else:
            self._log.warning("input.unreadable", topic=topic, partition=partition, reason=error.name())

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalancing("partitions.assigned", partitions)
        try:
            positions = self._read_positions(partitions)
            if self._settings.protocol == "classic":
                self._open_consumer().assign(positions)
            else:
                self._open_consumer().incremental_assign(positions)
        except KafkaException as failure:
            # Not the client's own exception: on its way out of a callback it becomes something that nothing catches.
            raise ConsumerLostError(failure.args[0].name()) from None

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalancing("partitions.revoked", partitions)
        self._drop(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalancing("partitions.lost", partitions)
        self._drop(partitions)

    def _rebalancing(self, event: str, partitions: Iterable[TopicPartition]) -> None:
        self._rebalanced = True
        by_topic: dict[str, list[int]] = {}
        for partition in partitions:
            by_topic.setdefault(partition.topic, []).append(partition.partition)
        for topic, numbers in sorted(by_topic.items()):
            self._log.info(event, topic=topic, partitions=sorted(numbers))
        self._station.at(Step.REBALANCING)

    def _drop(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self.books.pop((partition.topic, partition.partition), None)
            self.unsaved.pop((partition.topic, partition.partition), None)

    def _read_positions(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if not partitions:
            return []
        consumer = self._open_consumer()
        positions = []
        for committed in consumer.committed(partitions, timeout=_COMMITTED_WAIT_S):
            if committed.error is not None:
                raise KafkaException(committed.error)
            low, high = consumer.get_watermark_offsets(committed, timeout=_WATERMARK_WAIT_S, cached=False)
            book = self._book(committed, low, high)
            topics = self._views[committed.topic]
            book.close_views(topics)
            book.open_views(topics)
            self.books[committed.topic, committed.partition] = book
            positions.append(TopicPartition(committed.topic, committed.partition, book.next_offset))
        return positions

    def _book(self, committed: TopicPartition, low: int, high: int) -> PartitionBook:
        topic, partition, offset = committed.topic, committed.partition, committed.offset
        if offset < 0:
            self._log.info("position.first_start", topic=topic, partition=partition, offset=low)
            return PartitionBook(low)
        try:
            book = PartitionBook.from_metadata(offset, committed.metadata)
        except ValueError as why:
            raise Trouble(
                f"the group {self._settings.group} has a foreign offset at {topic}/{partition}: {why}",
                hint="Something else commits in this group. Stop it, and set the offsets back to those of a minimizer.",
                exit_code=Exit.REFUSED,
            ) from None
        if offset > high:
            raise Trouble(
                f"the group {self._settings.group} stands past the end of {topic}/{partition}",
                hint="The topic lost records or was made anew. Delete the group's offsets for it to begin again.",
                exit_code=Exit.REFUSED,
            )
        if offset < low:
            self._log.error("position.gap", topic=topic, partition=partition, offset=low, count=low - offset)
            book.gap += low - offset
            book.next_offset = low
            self.unsaved[topic, partition] = low - offset
        return book

    def _config(self) -> dict[str, Any]:
        classic: dict[str, Any] = {
            # Not cooperative-sticky: a static member that dies between giving a partition up and joining again gets its
            # last assignment when it comes back, without a rebalance, and the partition is nobody's (decision 0061).
            "partition.assignment.strategy": "roundrobin",
            "group.instance.id": self._settings.slot_id,
            "session.timeout.ms": self._settings.session_timeout_ms,
            "heartbeat.interval.ms": self._settings.session_timeout_ms // 4,
        }
        return {
            "group.id": self._settings.group,
            "group.protocol": self._settings.protocol,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 16_384,
            **(classic if self._settings.protocol == "classic" else {}),
        }
