"""The producer's side of a worker: one transaction a batch, and a new producer whenever one is in doubt.

A transaction is: begin, produce, flush, send offsets, commit. Whatever goes wrong, the batch is thrown away, and the
caller rewinds to the committed offsets. A commit, an abort or offsets that took long or failed also cost the producer
its place: what was sent twice may reach the broker twice, the second time in a later transaction, and end that one
half-way (KAFKA-17754) or put its offsets back (decision 0064). A new producer under the same transactional id fences
the old one, and so anything of its that is still on the way (KIP-98).

So does a broker that goes away after a commit. If it comes back without that commit's markers (KAFKA-20734), the abort
of a later transaction would take the acknowledged records away; a new producer first looks whether all is decided.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pipelines.broker import KafkaError, KafkaException, Producer, TopicPartition
from pipelines.relay.batch import Batch
from pipelines.relay.deadline import OverdueError, within
from pipelines.relay.hanging import Hanging
from pipelines.relay.metrics import COMMIT_SECONDS, REPLACEMENTS
from pipelines.relay.station import Station
from pipelines.relay.steps import Step
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from pipelines.trouble import Exit, Trouble

_WAIT_S = TRANSACTION_TIMEOUT_MS / 1000
# Sending offsets waits for ever, whatever its timeout, when the group's coordinator has left the cluster (librdkafka
# #5456, #5511). A new producer looks for the coordinator anew, so giving up early costs no more than the batch. On a
# network so slow that it takes longer (five round trips with a new producer) each next one gets twice the time.
_OFFSETS_WAIT_S = 5.0
_PAUSE_S = 0.5  # between a producer that could not begin and the next
_INIT_WAIT_S = 5.0  # so often is `stop` heard while no broker answers
# Fenced too often within so many seconds: a second process runs the slot, and they would fence each other for ever.
_FENCED_WITHIN_S = 60.0
# Errors that another producer under the same id will meet too: a person has to act.
_HOPELESS = frozenset({
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
})  # fmt: skip
_FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001 - librdkafka's local codes are spelled so


_GONE = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - as above


class BrokerLostError(Exception):
    """A connection to a broker broke after a commit."""


class StoppedError(Exception):
    """The worker was told to stop while it waited for the cluster."""


class Outbox:
    """Owns the transactional producer of one slot.

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
        self._stopping = stopping
        self._hanging = Hanging(station, {*topics, quarantine}, stopping)
        self._fenced: deque[float] = deque()
        self._producer: Producer | None = None
        self._doubt: str | None = "start"
        self._has_committed = False  # this producer has
        self._offsets_wait_s = _OFFSETS_WAIT_S

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
        producer = self._ready_producer()
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
            self._failed(producer, failure.args[0], batch, flushed=flushed)
            return False
        self._station.at(Step.COMMITTED)
        return True

    def settle(self) -> None:
        """Make sure that no transaction of this slot is open: committed offsets read after this are final."""
        self._ready_producer()

    def close(self) -> None:
        """Let the producer go. An open transaction, which only a failed batch leaves, ends by its timeout."""
        self._discard()

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
        for note in batch.quarantine:
            _enqueue(producer, self._quarantine, note)

    def _send_offsets(self, producer: Producer, offsets: list[TopicPartition], membership: object) -> None:
        self._station.at(Step.SENDING_OFFSETS)
        started, wait_s = time.monotonic(), self._offsets_wait_s
        with self._in_doubt_if_slow("slow_offsets"):
            within(wait_s, lambda: producer.send_offsets_to_transaction(offsets, membership, wait_s))
        self._offsets_wait_s = max(_OFFSETS_WAIT_S, 2 * (time.monotonic() - started))
        self._station.at(Step.OFFSETS_SENT)

    def _commit(self, producer: Producer) -> None:
        self._station.at(Step.COMMITTING)
        with COMMIT_SECONDS.labels(self._settings.source).time(), self._in_doubt_if_slow("slow_commit"):
            producer.commit_transaction(_WAIT_S)
        self._has_committed = True

    def _gave_up(self, reason: str, batch: Batch) -> bool:
        self._doubt = reason
        self._log.warning("batch.failed", reason=reason, events=batch.events)
        return False

    def _failed(self, producer: Producer, error: KafkaError, batch: Batch, *, flushed: bool) -> None:
        self._log.warning("batch.failed", reason=error.name(), events=batch.events)
        self._refused(error)
        doubt, self._doubt = self._doubt, error.name()
        # An abort before the coordinator knows the transaction's partitions is fatal (librdkafka #4849); after a
        # flush it knows them. Anything else is left to a new producer, which aborts what it finds.
        if flushed and error.txn_requires_abort():
            started = time.monotonic()
            try:
                producer.abort_transaction(_WAIT_S)
            except KafkaException:
                return
            if (time.monotonic() - started) * 1000 <= self._settings.slow_commit_ms:
                self._doubt = doubt

    @contextmanager
    def _in_doubt_if_slow(self, reason: str) -> Iterator[None]:
        """A request that was sent twice takes long, and that is all the client shows of it."""
        started = time.monotonic()
        try:
            yield
        finally:
            if (time.monotonic() - started) * 1000 > self._settings.slow_commit_ms:
                self._doubt = reason

    def _listen(self, error: KafkaError) -> None:
        """Hear of a broker's going, in `poll` and `flush`, which then raise what this raises."""
        if self._has_committed and error.code() in _GONE:
            self._doubt = "broker_lost"
            raise BrokerLostError

    def _hear(self, producer: Producer) -> None:
        try:
            producer.poll(0)
        except BrokerLostError:
            pass
        except KafkaException as failure:  # it was fenced meanwhile, say
            self._refused(failure.args[0])
            self._doubt = failure.args[0].name()

    def _ready_producer(self) -> Producer:
        if self._producer is not None and self._doubt is None:
            self._hear(self._producer)
        while self._producer is None or self._doubt is not None:
            self._station.beat()
            self._discard()
            reason, self._doubt = self._doubt or "start", None
            self._has_committed = False
            if reason != "start":
                REPLACEMENTS.labels(self._settings.source, reason).inc()
                self._log.warning("producer.replaced", reason=reason)
            producer = self._producer = self._station.cluster.producer(**self._config())
            try:
                self._initialize(producer)
            except KafkaException as failure:
                if self._stopping():
                    raise StoppedError from None
                self._refused(failure.args[0])
                self._doubt = failure.args[0].name()
                time.sleep(_PAUSE_S)
            else:
                if not self._hanging.over():
                    raise StoppedError
        return self._producer

    def _initialize(self, producer: Producer) -> None:
        while True:
            self._station.beat()  # waiting for brokers that are away is not being stuck
            try:
                producer.init_transactions(_INIT_WAIT_S)
            except KafkaException as failure:
                if self._stopping():
                    raise StoppedError from None
                if not failure.args[0].retriable():
                    raise
            else:
                return

    def _refused(self, error: KafkaError) -> None:
        if error.code() in _HOPELESS:
            raise Trouble(
                f"the cluster refuses {self._settings.slot_id}: {error.name()}",
                hint="Check the ACLs of the worker's principal and the broker's transaction.max.timeout.ms.",
            )
        if error.code() in _FENCED:
            now = time.monotonic()
            while self._fenced and now - self._fenced[0] >= _FENCED_WITHIN_S:
                self._fenced.popleft()
            if len(self._fenced) >= self._settings.fences_borne:
                raise Trouble(
                    f"another process runs the slot {self._settings.slot_id}",
                    hint=self._settings.rival_hint,
                    exit_code=Exit.REFUSED,
                )
            self._fenced.append(now)

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()

    def _config(self) -> dict[str, object]:
        return {
            "error_cb": self._listen,
            "transactional.id": self._settings.slot_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            # Both, or the exponential back-off of KIP-580 starts low: a retried EndTxn then takes at least 0.8 s, which
            # the guard sees. (Retried offsets take at least 0.5 s, whatever is set here.)
            "retry.backoff.ms": 1000,
            "retry.backoff.max.ms": 1000,
            "compression.type": "lz4",
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "sticky.partitioning.linger.ms": 0,
            "queue.buffering.max.kbytes": 65_536,
        }


def _enqueue(producer: Producer, topic: str, note: bytes) -> None:
    while True:
        try:
            producer.produce(topic, note)
        except BufferError:
            producer.poll(0.05)  # the local queue is full: let the broker take some
        else:
            return
