"""A plain producer with confluent_kafka's interface, sending to the in-memory broker.

A record is sent when `produce` is called, unless `linger.ms` is at least `HOLDS_MS`: then it is sent by `flush` or by
the commit. Delivery callbacks and fatal errors are served by `poll`, `flush` and `abort_transaction` alone.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, murmur2

from pipelines.broker import Partition
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.errors import error_in, failure

HOLDS_MS: Final = 1_000

Delivered = Callable[[KafkaError | None, Message], object]


class MemoryProducer:
    """A producer outside transactions. Safe to use from several threads, as far as librdkafka's is."""

    def __init__(self, broker: Broker, settings: Mapping[str, Any]) -> None:
        if settings.get("partitioner") != "murmur2_random":
            raise NotImplementedError("the in-memory Kafka knows one partitioner, murmur2_random")
        self._broker = broker
        self._most = int(settings.get("queue.buffering.max.messages", 100_000))
        self._largest = int(settings.get("message.max.bytes", 1_000_000))
        self._holds = int(settings.get("linger.ms", 5)) >= HOLDS_MS
        self._held: deque[tuple[Message, Delivered | None]] = deque()
        self._reports: deque[tuple[Delivered | None, KafkaError | None, Message]] = deque()

    def __len__(self) -> int:
        """Records that are held, and reports that are not served."""
        return len(self._held) + len(self._reports)

    def produce(
        self,
        topic: str,
        value: bytes | str | None = None,
        key: bytes | str | None = None,
        partition: int = -1,
        callback: Delivered | None = None,
        on_delivery: Delivered | None = None,
        timestamp: int = 0,
        headers: Sequence[tuple[str, str | bytes | None]] | Mapping[str, str | bytes | None] | None = None,
    ) -> None:
        """As confluent_kafka's; raises BufferError when the queue is full."""
        sent = _bytes(value)
        if len(sent or b"") > self._largest:
            raise failure(KafkaError.MSG_SIZE_TOO_LARGE, "Unable to produce message: Broker: Message size too large")
        if len(self) >= self._most:
            raise BufferError("Local: Queue full")
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        as_sent = [(name, _bytes(content)) for name, content in pairs] if pairs else None
        message = Message(topic, partition, OFFSET_INVALID, _bytes(key), sent, as_sent, None, (0, timestamp))
        self._held.append((message, on_delivery or callback))
        if not self._holds:
            self._send()

    def poll(self, timeout: float = -1) -> int:
        """Serve reports, and return how many. Never waits: a report is there as soon as its record is sent."""
        del timeout
        served = 0
        while self._reports:
            delivered, error, message = self._reports.popleft()
            served += 1
            if delivered is not None:
                delivered(error, message)
        return served

    def flush(self, timeout: float = -1) -> int:
        """Send what is held, and serve reports. Never waits."""
        self._send()
        self.poll(timeout)
        return len(self)

    def purge(self) -> None:
        """Drop what is held; its reports say so."""
        while self._held:
            message, delivered = self._held.popleft()
            self._reports.append((delivered, KafkaError(KafkaError._PURGE_QUEUE), message))

    def begin_transaction(self) -> None:
        """Refuse: this producer has no transactional id."""
        raise failure(KafkaError._NOT_CONFIGURED, "The Transactional API requires transactional.id to be configured")

    def _send(self) -> None:
        while self._held:
            message, delivered = self._held.popleft()
            try:
                with self._broker.request():
                    self._reports.append((delivered, None, self._append(message)))
            except KafkaException as refused:
                self._refused(refused)
                self._reports.append((delivered, error_in(refused), message))

    def _append(self, message: Message) -> Message:
        """Append a record to its log, and return it as it is there. The broker's lock is held."""
        name, key, value, headers = message.topic() or "", message.key(), message.value(), message.headers()
        if name not in self._broker.topics:
            raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
        topic = self._broker.topics[name]
        number = message.partition()
        if number is None or number < 0:
            count = len(topic.partitions)
            number = random.randrange(count) if key is None else murmur2(key, count)
        if number >= len(topic.partitions):
            raise failure(KafkaError._UNKNOWN_PARTITION)
        timestamp = topic.timestamp(message.timestamp()[1], int(self._broker.now() * 1000))
        producer_id = self._enlist((name, number))
        record = topic.partitions[number].append(key, value, headers, timestamp, producer_id)
        return Message(name, number, record.offset, key, value, headers, None, timestamp)

    def _enlist(self, _partition: Partition) -> int | None:
        """Add a partition to the open transaction, and return its producer's id; None outside transactions."""
        return None

    def _refused(self, refused: KafkaException) -> None:
        """Take note that a record was refused."""


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
