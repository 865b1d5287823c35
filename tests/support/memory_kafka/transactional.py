"""A transactional producer with confluent_kafka's interface, and librdkafka's states and errors (KIP-98)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipelines.broker import Partition
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.errors import error_in, failure
from tests.support.memory_kafka.membership import GroupMetadata
from tests.support.memory_kafka.producer import MemoryProducer


class TransactionalProducer(MemoryProducer):
    """A producer of one transactional id. No call waits."""

    def __init__(self, broker: Broker, settings: Mapping[str, Any]) -> None:
        super().__init__(broker, settings)
        self._name = str(settings["transactional.id"])
        self._timeout_s = int(settings.get("transaction.timeout.ms", 60_000)) / 1000
        self._state = "Init"
        self._id = -1
        self._epoch = -1
        self._error: KafkaException | None = None  # why the transaction, or the producer, cannot go on
        self._is_unreported = False  # a fatal error that neither `poll` nor `flush` has raised

    def produce(self, topic: str, *record: Any, **more: Any) -> None:
        """As confluent_kafka's: within a transaction alone."""
        if self._is_fatal():
            raise failure(KafkaError._FATAL, "Unable to produce message: Local: Fatal error")
        if self._state != "InTransaction":
            raise failure(KafkaError._STATE, "Unable to produce message: Local: Erroneous state")
        super().produce(topic, *record, **more)

    def poll(self, timeout: float = -1) -> int:
        """Serve reports, and raise a fatal error once."""
        served = super().poll(timeout)
        if self._is_unreported and self._error is not None:
            self._is_unreported = False
            raise self._error
        return served

    def init_transactions(self, timeout: float = -1) -> None:
        """Fence older producers of the same id, and abort what they left open."""
        del timeout
        self._require("Init")
        with self._broker.request():
            self._id, self._epoch = self._broker.transactions.initialize(self._name, self._timeout_s)
        self._state = "Ready"

    def begin_transaction(self) -> None:
        """Begin; the coordinator hears of it with the first record or offset."""
        self._require("Ready")
        self._state = "InTransaction"

    def send_offsets_to_transaction(
        self, positions: Sequence[TopicPartition], group_metadata: object, timeout: float = -1
    ) -> None:
        """Add offsets to the transaction, in the name of a member of a group."""
        del timeout
        self._require("InTransaction")
        assert isinstance(group_metadata, GroupMetadata)
        offsets = {(each.topic, each.partition): (each.offset, each.metadata or "") for each in positions}
        try:
            with self._broker.request():
                self._broker.transactions.add(self._name, self._epoch)
                group_metadata.check(self._broker)
                self._broker.offsets.add_pending(self._id, group_metadata.group, offsets)
        except KafkaException as refused:
            self._fail(refused)
            raise

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what is held, and commit."""
        self._require("InTransaction")
        self.flush(timeout)
        self._require("InTransaction")
        self._end(commit=True)

    def abort_transaction(self, timeout: float = -1) -> None:
        """Drop what is held, and abort."""
        if self._error is None or self._is_fatal():
            self._require("InTransaction")
        self.purge()
        self._end(commit=False)
        self._error = None
        self.poll(timeout)

    def _require(self, state: str) -> None:
        if self._error is not None:
            raise self._error
        if self._state != state:
            raise failure(KafkaError._STATE, f"Operation not valid in state {self._state}")

    def _is_fatal(self) -> bool:
        return self._error is not None and error_in(self._error).fatal()

    def _end(self, *, commit: bool) -> None:
        try:
            with self._broker.request():
                self._broker.transactions.finish(self._name, self._epoch, commit=commit)
        except KafkaException as refused:
            self._fail(refused)
            raise
        self._state = "Ready"

    def _fail(self, refused: KafkaException) -> None:
        self._error = refused
        self._is_unreported = error_in(refused).fatal()

    def _enlist(self, partition: Partition) -> int | None:
        self._broker.transactions.add(self._name, self._epoch, partition)
        return self._id

    def _refused(self, refused: KafkaException) -> None:
        error = error_in(refused)
        self._fail(refused if error.fatal() else failure(error.code(), error.str(), requires_abort=True))
