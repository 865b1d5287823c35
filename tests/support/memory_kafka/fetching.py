"""What a consumer reads: its partitions, where it stands in each, and the messages and errors that come of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from pipelines.broker import Partition
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.errors import error_in, failure
from tests.support.memory_kafka.log import PartitionLog, Record


@dataclass
class _Reading:
    """One partition. `at` is the next offset to read, or one of librdkafka's logical offsets, which are negative."""

    at: int
    position: int = OFFSET_INVALID
    is_paused: bool = False
    is_stopped: bool = False  # by an error
    told_end: int | None = None
    high: int = OFFSET_INVALID


class Fetcher:
    """The partitions of one consumer."""

    def __init__(self, broker: Broker, group: str, settings: Mapping[str, Any]) -> None:
        self._broker = broker
        self._group = group
        self._is_committed = settings.get("isolation.level", "read_committed") == "read_committed"
        self._reset = settings.get("auto.offset.reset", "latest")
        self._tells_end = bool(settings.get("enable.partition.eof"))
        self._readings: dict[Partition, _Reading] = {}
        self._errors: deque[Message] = deque()

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions and no others."""
        with self._broker.request():
            self._readings = {(each.topic, each.partition): _Reading(each.offset) for each in partitions}

    def assignment(self) -> list[TopicPartition]:
        """Return the partitions."""
        return [TopicPartition(*partition) for partition in self._readings]

    def seek(self, partition: TopicPartition) -> None:
        """Go on from an offset; a paused partition stays paused."""
        key = partition.topic, partition.partition
        with self._broker.request():
            # A partition that an error stopped can be assigned again, and not be sought.
            if key not in self._readings or self._readings[key].is_stopped:
                is_known = any(topic == partition.topic for topic, _ in self._readings)
                raise failure(KafkaError._STATE if is_known else KafkaError._UNKNOWN_PARTITION)
            before = self._readings[key]
            self._readings[key] = _Reading(partition.offset, is_paused=before.is_paused, high=before.high)

    def pause(self, partitions: Sequence[TopicPartition], *, is_paused: bool) -> None:
        """Give nothing of these partitions, or give it again. Partitions that are not assigned are passed over."""
        with self._broker.request():
            for each in partitions:
                if (each.topic, each.partition) in self._readings:
                    self._readings[each.topic, each.partition].is_paused = is_paused

    def position(self, partition: Partition) -> int:
        """Return the offset after the last message given, or OFFSET_INVALID."""
        return self._readings[partition].position if partition in self._readings else OFFSET_INVALID

    def high(self, partition: Partition) -> int:
        """Return the high watermark that the last fetch told, or OFFSET_INVALID."""
        return self._readings[partition].high if partition in self._readings else OFFSET_INVALID

    def tell(self, errors: Iterable[Message]) -> None:
        """Give these with the next messages, before all records."""
        self._errors.extend(errors)

    def missing(self, topics: Sequence[str]) -> Iterator[Message]:
        """Return what a consumer is told of subscribed topics that do not exist."""
        for topic in topics:
            if topic not in self._broker.topics:
                error = KafkaError(
                    KafkaError.UNKNOWN_TOPIC_OR_PART,
                    f"Subscribed topic not available: {topic}: Broker: Unknown topic or partition",
                )
                yield Message(topic, error=error)

    def fetch(self, most: int) -> list[Message]:
        """Return up to so many messages without waiting. The caller holds the broker's lock."""
        found: list[Message] = []
        while self._errors and len(found) < most:
            found.append(self._errors.popleft())
        for partition, reading in list(self._readings.items()):
            if len(found) >= most:
                break
            if not reading.is_paused and not reading.is_stopped:
                before = len(found)
                found += self._read(partition, reading, most - len(found))
                if len(found) > before:  # the next fetch begins with another partition
                    self._readings[partition] = self._readings.pop(partition)
        return found

    def _read(self, partition: Partition, reading: _Reading, most: int) -> Iterator[Message]:
        topic, number = partition
        try:
            log = self._broker.log(partition)
            if not self._locate(partition, reading, log):
                return
        except KafkaException as refused:
            reading.is_stopped = True
            yield Message(topic, number, max(reading.at, 0), error=error_in(refused))
            return
        limit = log.limit(committed=self._is_committed)
        reading.high = log.end
        given = 0
        for record in log.visible(reading.at, committed=self._is_committed):
            if given == most:
                return
            given += 1
            reading.at = reading.position = record.offset + 1
            yield _message(partition, record)
        if given < most:
            reading.at = max(reading.at, limit)
            if self._tells_end and reading.told_end != reading.at:
                reading.told_end = reading.at
                yield Message(topic, number, reading.at, error=KafkaError(KafkaError._PARTITION_EOF))

    def _locate(self, partition: Partition, reading: _Reading, log: PartitionLog) -> bool:
        """Turn a logical offset into one of the log; False while the committed offset is not known.

        Raises:
            KafkaException: there is nothing at the offset, and `auto.offset.reset` is `error`.
        """
        if reading.at in {OFFSET_INVALID, OFFSET_STORED}:
            if self._is_committed and not self._broker.offsets.is_stable(self._group, partition):
                return False
            committed = self._broker.offsets.committed(self._group, partition)
            reading.at = self._where_reset(log) if committed is None else committed[0]
        if reading.at == OFFSET_BEGINNING:
            reading.at = log.start
        elif reading.at == OFFSET_END:
            reading.at = log.limit(committed=self._is_committed)
        if not log.start <= reading.at <= log.end:
            reading.at = self._where_reset(log)
        return True

    def _where_reset(self, log: PartitionLog) -> int:
        if self._reset == "error":
            raise failure(KafkaError._AUTO_OFFSET_RESET)
        return log.start if self._reset == "earliest" else log.limit(committed=self._is_committed)


def _message(partition: Partition, record: Record) -> Message:
    return Message(*partition, record.offset, record.key, record.value, record.headers, None, record.timestamp)
