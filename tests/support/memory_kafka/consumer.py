"""A consumer with confluent_kafka's interface, reading from the in-memory broker, alone or in a group."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from confluent_kafka import OFFSET_END, OFFSET_INVALID, KafkaError, Message, TopicPartition

from pipelines.broker import Partition
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.errors import failure
from tests.support.memory_kafka.fetching import Fetcher
from tests.support.memory_kafka.membership import GroupMetadata, Membership, Rebalanced


class MemoryConsumer:
    """A consumer. Calls that wait do so in real time, until something changes at the broker."""

    def __init__(self, broker: Broker, settings: Mapping[str, Any]) -> None:
        if settings.get("enable.auto.commit") or settings.get("group.protocol", "classic") != "classic":
            raise NotImplementedError("the in-memory Kafka has no automatic commits and the classic protocol alone")
        self._broker = broker
        self._group = str(settings["group.id"])
        self._is_committed = settings.get("isolation.level", "read_committed") == "read_committed"
        self._fetcher = Fetcher(broker, self._group, settings)
        self._membership = Membership(broker, self._group, settings)
        self._is_closed = False
        self._was_assigned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: Rebalanced | None = None,
        on_revoke: Rebalanced | None = None,
        on_lost: Rebalanced | None = None,
    ) -> None:
        """Join the group; the callbacks are called by `consume`, `poll` and `close`."""
        self._require_open()
        self._membership.subscribe(topics, on_assign, on_revoke, on_lost)
        self._fetcher.tell(self._fetcher.missing(topics))

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Return up to so many messages: as soon as there are so many, or when the time is over."""
        self._require_open()
        if not 0 <= num_messages <= 1_000_000:
            raise ValueError("num_messages must be between 0 and 1000000 (1M)")
        until = float("inf") if timeout < 0 else time.monotonic() + timeout
        messages: list[Message] = []
        self._membership.polling(is_on=True)
        try:
            while True:
                self._serve_rebalances(messages)
                with self._broker.waiting() as wait:
                    if self._membership.events:
                        continue
                    messages += self._fetcher.fetch(num_messages - len(messages))
                    left_s = until - time.monotonic()
                    if len(messages) >= num_messages or left_s <= 0:
                        return messages
                    wait(left_s)
        finally:
            self._membership.polling(is_on=False)

    def poll(self, timeout: float = -1) -> Message | None:
        """Return the next message, or None when the time is over."""
        return next(iter(self.consume(1, timeout)), None)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions and no others."""
        self._require_open()
        self._was_assigned = True
        self._fetcher.assign(partitions)

    def unassign(self) -> None:
        """Read no partition."""
        self.assign([])

    def assignment(self) -> list[TopicPartition]:
        """Return the partitions that are read."""
        self._require_open()
        return self._fetcher.assignment()

    def seek(self, partition: TopicPartition) -> None:
        """Read a partition from this offset on."""
        self._require_open()
        self._fetcher.seek(partition)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Give nothing of these partitions."""
        self._fetcher.pause(partitions, is_paused=True)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """End `pause`."""
        self._fetcher.pause(partitions, is_paused=False)

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Return the offset after the last message that was given."""
        self._require_open()
        return [TopicPartition(each.topic, each.partition, self._fetcher.position(_key(each))) for each in partitions]

    def committed(self, partitions: Sequence[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """Return the committed offsets; under read_committed, waits for transactions that would change them."""
        self._require_open()
        until = float("inf") if timeout < 0 else time.monotonic() + timeout
        offsets = self._broker.offsets
        with self._broker.waiting() as wait:
            while self._is_committed and not all(offsets.is_stable(self._group, _key(each)) for each in partitions):
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise failure(KafkaError._TIMED_OUT, "Failed to get committed offsets: Local: Timed out")
                wait(left_s)
            return [_with_offset(each, self._broker.offsets.committed(self._group, _key(each))) for each in partitions]

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        """Commit offsets, outside any transaction."""
        self._require_open()
        assert not asynchronous
        with self._broker.request():
            self._membership.check_commit()
            committed = {_key(each): (each.offset, each.metadata) for each in offsets}
            self._broker.offsets.commit(self._group, committed)
        return list(offsets)

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, *, cached: bool = False
    ) -> tuple[int, int]:
        """Return the log's start and end: those of the last fetch (`cached`), or those of now."""
        del timeout
        self._require_open()
        if cached:
            return OFFSET_INVALID, self._fetcher.high(_key(partition))
        with self._broker.request():
            log = self._broker.log(_key(partition))
            return log.start, log.limit(committed=self._is_committed)

    def offsets_for_times(self, partitions: Sequence[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """Return the first offset that is not older than the time (ms) that each partition has as its offset."""
        del timeout
        found = []
        with self._broker.request():
            for each in partitions:
                record = self._broker.log(_key(each)).at_time(each.offset)
                found.append(
                    TopicPartition(each.topic, each.partition, OFFSET_END if record is None else record.offset)
                )
        return found

    def memberid(self) -> str | None:
        """Return the id that the group gave this member."""
        self._require_open()
        return self._membership.member_id

    def consumer_group_metadata(self) -> GroupMetadata:
        """Return in whose name a transaction may commit offsets."""
        self._require_open()
        return self._membership.metadata()

    def close(self) -> None:
        """Give up all partitions and leave the group; a static member stays in it until its session ends."""
        if self._is_closed:
            return
        self._membership.leave(self, self._fetcher.assignment)
        self._is_closed = True

    def _serve_rebalances(self, messages: list[Message]) -> None:
        """Call the callbacks that are due. A rebalance makes what was fetched before it void."""
        while (event := self._membership.next_event()) is not None:
            partitions = self._fetcher.assignment()
            messages.clear()
            self._was_assigned = False
            try:
                match event:
                    case "assign":
                        partitions = [TopicPartition(*each) for each in self._membership.assignment]
                        self._membership.call("assign", self, partitions)
                    case "revoke" | "lost":
                        self._membership.call(event, self, partitions)
            finally:
                if not self._was_assigned:
                    self._fetcher.assign(partitions if event == "assign" else [])
            self._fetcher.tell(self._membership.after(event))

    def _require_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("Consumer closed")


def _key(partition: TopicPartition) -> Partition:
    return partition.topic, partition.partition


def _with_offset(asked: TopicPartition, found: tuple[int, str | None] | None) -> TopicPartition:
    offset, text = (OFFSET_INVALID, None) if found is None else found
    extra = () if text is None else (text,)  # the client library takes no None here
    return TopicPartition(asked.topic, asked.partition, offset, *extra)
