"""The producer's side of a worker: one transaction a batch.

A transaction is: begin, produce, flush, send offsets, commit. Whatever goes wrong, the batch is thrown away, and the
caller rewinds to the committed offsets. A commit, an abort or offsets that took long or failed also cost the producer
its place: what was sent twice may reach the broker twice, the second time in a later transaction, and end that one
half-way (KAFKA-17754) or put its offsets back (decision 0064). Its successor fences whatever is still on the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from pipelines.broker import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer, TopicPartition
from pipelines.relay.batch import Batch
from pipelines.relay.deadline import OverdueError, within
from pipelines.relay.metrics import COMMIT_SECONDS
from pipelines.relay.station import Station
from pipelines.relay.steps import Step
from pipelines.relay.succession import BrokerLostError, Succession
from pipelines.retention import TRANSACTION_TIMEOUT_MS

_WAIT_S = TRANSACTION_TIMEOUT_MS / 1000
# Sending offsets waits forever, whatever its timeout, when the group's coordinator has left the cluster (librdkafka
# #5456, #5511). A new producer looks for the coordinator anew, so giving up early costs no more than the batch. On a
# network so slow that it takes longer (five round trips with a new producer) each next one gets twice the time.
_OFFSETS_WAIT_S = 5.0
# The group refuses offsets with these when its members changed. Every record of the transaction was taken by then.
_GROUP_CHANGED: Final = frozenset({
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
})  # fmt: skip


class Outbox:
    """Sends the batches of one slot.

    Args:
        topics: those that views' records go to.
        quarantine: the topic that quarantine notes go to.
        stopping: whether the worker was told to stop; asked while waiting for the cluster.
    """

    def __init__(self, station: Station, topics: Iterable[str], quarantine: str, stopping: Callable[[], bool]) -> None:
        self._station = station
        self._settings = station.settings
        self._log = station.log
        self._quarantine = quarantine
        self._succession = Succession(station, {*topics, quarantine}, stopping)
        self._offsets_wait_s = _OFFSETS_WAIT_S
        self.time_refused = False
        """Whether the last batch failed because brokers refused the time of a record."""
        self._known = 0  # the generation of the producer in whose time offsets were read, or a batch was sent

    def deliver(self, batch: Batch, offsets: list[TopicPartition], membership: object) -> bool:
        """Send a batch in one transaction.

        Args:
            batch: what to send.
            offsets: where its raw events end, with the books.
            membership: the group's metadata from when those events were polled.

        Returns:
            True when it is committed; False when nothing of it is (or when that is not known): rewind then.

        Raises:
            Trouble: the cluster refuses this worker, and will go on doing so.
        """
        self.time_refused = False
        producer = self._succession.ready()
        if not self._succession.decided(offsets, new=self._succession.generation != self._known):
            self._log.warning("batch.failed", reason="undecided", events=batch.events)
            return False
        self._known = self._succession.generation
        flushed = False
        try:
            producer.begin_transaction()
            self._station.at(Step.BEGUN)
            self._produce(producer, batch)
            flushed = producer.flush(_WAIT_S) == 0
            self._station.at(Step.PRODUCED)
            if not flushed:
                return self._gave_up("flush_timeout", batch)
            self._send_offsets(producer, offsets, membership)
            self._commit(producer)
        except BrokerLostError:
            return self._gave_up("broker_lost", batch)
        except OverdueError:
            self._offsets_wait_s = min(2 * self._offsets_wait_s, _WAIT_S)
            return self._gave_up("offsets_timeout", batch)
        except KafkaException as failure:
            error = failure.args[0]
            if not flushed and error.code() == KafkaError._STATE:  # noqa: SLF001 - librdkafka's local codes are spelled so
                error = _behind(producer, offsets, membership) or error
            self._failed(producer, error, batch, flushed=flushed)
            return False
        self._station.at(Step.COMMITTED)
        return True

    def settle(self) -> None:
        """Make sure that no transaction of this slot is open: committed offsets read after this are final."""
        self._succession.ready()
        self._known = self._succession.generation

    def brokers_ms(self) -> int | None:
        """Return the present time (ms) of a broker: of the one that leads a partition of quarantine.

        Kafka answers no question for its time, but a topic with LogAppendTime tells the time at which it took a record.
        So an empty record goes there, in a transaction that is aborted. Blocks as `deliver` does. None: no broker told.

        Raises:
            StoppedError: the worker was told to stop meanwhile.
            Trouble: the cluster refuses this worker, and will go on doing so.
        """
        producer = self._succession.ready()
        told: list[int] = []

        def taken(error: KafkaError | None, message: Message) -> None:
            kind, timestamp_ms = message.timestamp()
            if error is None and kind == TIMESTAMP_LOG_APPEND_TIME:
                told.append(timestamp_ms)

        if not self._succession.decided([], new=False):
            return None
        # Another producer comes next, unless all goes well: it aborts whatever is left open.
        doubt, self._succession.doubt = self._succession.doubt, "time_unanswered"
        try:
            producer.begin_transaction()
            producer.produce(self._quarantine, b"", on_delivery=taken)
            if producer.flush(_WAIT_S) == 0 and told:
                started = time.monotonic()
                producer.abort_transaction(_WAIT_S)
                self._succession.ended()
                if (time.monotonic() - started) * 1000 <= self._settings.slow_commit_ms:
                    self._succession.doubt = doubt
        except BrokerLostError:
            self._succession.doubt = "broker_lost"
        except KafkaException as failure:
            self._succession.refused(failure.args[0])
        return told[0] if told else None

    def close(self) -> None:
        """Let the producer go. An open transaction, which only a failed batch leaves, ends by its timeout."""
        self._succession.discard()

    def _produce(self, producer: Producer, batch: Batch) -> None:
        parcels = batch.parcels()
        half = sum(parcel.size() for parcel in parcels) >> 1
        for parcel in parcels:
            size = parcel.size()
            if 0 <= half < size:
                parcel.send(producer, 0, half)
                self._station.at(Step.PRODUCING)
                parcel.send(producer, half, size)
            else:
                parcel.send(producer, 0, size)
            half -= size
        for note in batch.notes():
            _enqueue(producer, self._quarantine, note)

    def _send_offsets(self, producer: Producer, offsets: list[TopicPartition], membership: object) -> None:
        self._station.at(Step.SENDING_OFFSETS)
        started, wait_s = time.monotonic(), self._offsets_wait_s
        with self._succession.doubted_if_slow("slow_offsets"):
            within(wait_s, lambda: producer.send_offsets_to_transaction(offsets, membership, wait_s))
        self._offsets_wait_s = max(_OFFSETS_WAIT_S, 2 * (time.monotonic() - started))
        self._station.at(Step.OFFSETS_SENT)

    def _commit(self, producer: Producer) -> None:
        self._station.at(Step.COMMITTING)
        with COMMIT_SECONDS.labels(self._settings.source).time(), self._succession.doubted_if_slow("slow_commit"):
            producer.commit_transaction(_WAIT_S)
        self._succession.ended()

    def _gave_up(self, reason: str, batch: Batch) -> bool:
        self._succession.doubt = reason
        self._log.warning("batch.failed", reason=reason, events=batch.events)
        return False

    def _failed(self, producer: Producer, error: KafkaError, batch: Batch, *, flushed: bool) -> None:
        self._log.warning("batch.failed", reason=error.name(), events=batch.events)
        self._succession.refused(error)
        self.time_refused = error.code() == KafkaError.INVALID_TIMESTAMP
        self._succession.makes_smaller(error)
        doubt, self._succession.doubt = self._succession.doubt, error.name()
        # An abort before the coordinator knows the transaction's partitions is fatal (librdkafka #4849); after a
        # flush it knows them. Anything else is left to a new producer, which aborts what it finds.
        if flushed and error.txn_requires_abort():
            started = time.monotonic()
            try:
                producer.abort_transaction(_WAIT_S)
            except (KafkaException, BrokerLostError):
                return
            self._succession.ended()
            # After a record was refused librdkafka 2.16 goes on at a sequence number that the broker does not expect:
            # the next batch would wait for its flush's time-out, or fail with OUT_OF_ORDER_SEQUENCE_NUMBER.
            if error.code() in _GROUP_CHANGED and (time.monotonic() - started) * 1000 <= self._settings.slow_commit_ms:
                self._succession.doubt = doubt


def _behind(producer: Producer, offsets: list[TopicPartition], membership: object) -> KafkaError | None:
    """Return why a transaction has failed in which `produce` says no more than that it has; None if that is not told.

    Only requests of the transaction tell. One with offsets commits nothing, and this producer never commits again: the
    caller takes another one.
    """
    try:
        within(_OFFSETS_WAIT_S, lambda: producer.send_offsets_to_transaction(offsets, membership, _OFFSETS_WAIT_S))
    except KafkaException as failure:
        error: KafkaError = failure.args[0]
        return error
    except (BrokerLostError, OverdueError):
        return None
    return None


def _enqueue(producer: Producer, topic: str, note: bytes) -> None:
    while True:
        try:
            producer.produce(topic, note)
        except BufferError:
            producer.poll(0.05)  # the local queue is full: let the broker take some
        else:
            return
