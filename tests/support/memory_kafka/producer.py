"""A producer with confluent_kafka's interface: idempotent or transactional, sending to the in-memory broker.

A record is sent when `produce` is called, unless `linger.ms` is at least `HOLDS_MS`: then it is sent by `flush` or by
the commit. Delivery callbacks and fatal errors are served by `poll`, `flush` and the transaction's calls alone.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition, murmur2

from pipelines.broker import Committed
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.errors import error_in, failure
from tests.support.memory_kafka.log import Headers
from tests.support.memory_kafka.membership import GroupMetadata

HOLDS_MS: Final = 1_000

Delivered = Callable[[KafkaError | None, Message], object]


class MemoryProducer:
    """A producer. Safe to use from several threads, as far as librdkafka's is."""

    def __init__(self, broker: Broker, settings: Mapping[str, Any]) -> None:
        if settings.get("partitioner") != "murmur2_random":
            raise NotImplementedError("the in-memory Kafka knows one partitioner, murmur2_random")
        self._broker = broker
        self._name: str | None = settings.get("transactional.id")
        self._timeout_s = int(settings.get("transaction.timeout.ms", 60_000)) / 1000
        self._most = int(settings.get("queue.buffering.max.messages", 100_000))
        self._largest = int(settings.get("message.max.bytes", 1_000_000))
        self._holds = int(settings.get("linger.ms", 5)) >= HOLDS_MS
        self._state = "Init"
        self._id = -1
        self._epoch = -1
        self._error: KafkaException | None = None  # why the transaction, or the producer, cannot go on
        self._unreported = False  # a fatal error that no call of `poll` has raised
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
        if self._error is not None and error_in(self._error).fatal():
            raise failure(KafkaError._FATAL, "Unable to produce message: Local: Fatal error")
        if self._name is not None and self._state != "InTransaction":
            raise failure(KafkaError._STATE, "Unable to produce message: Local: Erroneous state")
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
        """Serve reports, and raise a fatal error once. Never waits: a report comes as soon as a record is sent."""
        del timeout
        return self._serve()

    def flush(self, timeout: float = -1) -> int:
        """Send what is held and serve reports. Never waits."""
        del timeout
        self._send()
        self._serve()
        return len(self)

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:  # noqa: FBT002
        """Drop what is held; its reports say so."""
        del in_flight, blocking
        while in_queue and self._held:
            message, delivered = self._held.popleft()
            self._reports.append((delivered, KafkaError(KafkaError._PURGE_QUEUE), message))

    def init_transactions(self, timeout: float = -1) -> None:
        """Fence older producers of the same id and abort what they left open."""
        del timeout
        name = self._transactional()
        self._require("Init", "Ready")
        with self._broker.request():
            self._id, self._epoch = self._broker.transactions.initialize(name, self._timeout_s)
        self._state = "Ready"

    def begin_transaction(self) -> None:
        """Begin; the coordinator hears of it with the first record or offset."""
        self._transactional()
        self._require("Ready")
        self._state = "InTransaction"

    def send_offsets_to_transaction(
        self, positions: Sequence[TopicPartition], group_metadata: object, timeout: float = -1
    ) -> None:
        """Add offsets to the transaction, in the name of a member of a group."""
        del timeout
        name = self._transactional()
        self._require("InTransaction")
        assert isinstance(group_metadata, GroupMetadata)
        offsets = {(each.topic, each.partition): Committed(each.offset, each.metadata or "") for each in positions}
        try:
            with self._broker.request():
                self._broker.transactions.add(name, self._epoch)
                group_metadata.check(self._broker)
                self._broker.offsets.add_pending(self._id, group_metadata.group, offsets)
        except KafkaException as refused:
            raise self._failed(refused) from None

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what is held, and commit."""
        self._transactional()
        self._require("InTransaction")
        self.flush(timeout)
        self._require("InTransaction")
        self._end(commit=True)

    def abort_transaction(self, timeout: float = -1) -> None:
        """Drop what is held, and abort."""
        del timeout
        self._transactional()
        if self._error is None or error_in(self._error).fatal():
            self._require("InTransaction")
        self.purge()
        self._end(commit=False)
        self._error = None
        self._serve()

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """As confluent_kafka's: the topics that exist."""
        from tests.support.memory_kafka.admin_client import MemoryAdminClient

        return MemoryAdminClient(self._broker).list_topics(topic, timeout)

    def _transactional(self) -> str:
        if self._name is None:
            raise failure(
                KafkaError._NOT_CONFIGURED, "The Transactional API requires transactional.id to be configured"
            )
        return self._name

    def _require(self, *states: str) -> None:
        if self._error is not None:
            raise self._error
        if self._state not in states:
            raise failure(KafkaError._STATE, f"Operation not valid in state {self._state}")

    def _end(self, *, commit: bool) -> None:
        try:
            with self._broker.request():
                self._broker.transactions.finish(self._transactional(), self._epoch, commit=commit)
        except KafkaException as refused:
            raise self._failed(refused) from None
        self._state = "Ready"

    def _failed(self, refused: KafkaException) -> KafkaException:
        error = error_in(refused)
        if error.fatal() or error.txn_requires_abort():
            self._error = refused
            self._unreported = error.fatal()
        return refused

    def _send(self) -> None:
        while self._held:
            message, delivered = self._held.popleft()
            try:
                with self._broker.request():
                    self._reports.append((delivered, None, self._append(message)))
            except KafkaException as refused:
                error = error_in(refused)
                if self._name is not None and not error.fatal():
                    refused = failure(error.code(), error.str(), requires_abort=True)
                if self._name is not None:
                    self._failed(refused)
                self._reports.append((delivered, error, message))

    def _append(self, message: Message) -> Message:
        broker, name, key, value = self._broker, message.topic() or "", message.key(), message.value()
        topic = broker.topics.get(name)
        if topic is None:
            raise failure(KafkaError._UNKNOWN_TOPIC)
        number = message.partition()
        if number is None or number < 0:
            count = len(topic.partitions)
            number = random.randrange(count) if key is None else murmur2(key, count)
        if number >= len(topic.partitions):
            raise failure(KafkaError._UNKNOWN_PARTITION)
        headers: Headers | None = message.headers()
        timestamp = topic.timestamp(message.timestamp()[1], int(broker.now() * 1000))
        if self._name is not None:
            broker.transactions.add(self._name, self._epoch, (name, number))
        log = topic.partitions[number]
        record = log.append(key, value, headers, timestamp, None if self._name is None else self._id)
        return Message(name, number, record.offset, key, value, headers, None, timestamp)

    def _serve(self) -> int:
        served = 0
        while self._reports:
            delivered, error, message = self._reports.popleft()
            served += 1
            if delivered is not None:
                delivered(error, message)
        if self._unreported and self._error is not None:
            self._unreported = False
            raise self._error
        return served


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
