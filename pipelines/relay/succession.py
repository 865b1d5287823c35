"""The producers of one slot, one after the other: each fences the one before (KIP-98), and looks before it writes.

A producer is in doubt, and replaced, when a request of its may have been sent twice (decision 0064), when it failed,
and when brokers went away after it had ended a transaction. If they come back without its markers (KAFKA-20734), the
abort of a later transaction would take acknowledged records away, and a commit would bring back what was aborted.

Which brokers: librdkafka 2.16 tells of its transactions' coordinator, once it tries to connect again and cannot, and of
the last connection it had. It does not tell of a broker that only leads partitions, while others are up; where that
broker may have had a partition's last replica, every batch is preceded by a look.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pipelines.broker import KafkaError, KafkaException, Producer, TopicPartition, unreachable
from pipelines.relay.hanging import Hanging
from pipelines.relay.metrics import REPLACEMENTS
from pipelines.relay.station import Station
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from pipelines.trouble import Exit, Trouble

_BATCH_BYTES = 1_000_000  # the client's default `batch.size`, which counts before compression
_LEAST_BATCH_BYTES = 1_000  # less than a record with its headers, so then a batch is one record
_PAUSE_S = 0.5  # between a producer that could not begin and the next
_DECIDED_WAIT_S = 2.0
_INIT_WAIT_S = 5.0  # so often is `stop` heard while no broker answers
# Fenced too often within so many seconds: a second process runs the slot, and they would fence each other forever.
_FENCED_WITHIN_S = 60.0
# Errors that another producer under the same id will meet too: a person has to act.
_HOPELESS = frozenset({
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
    KafkaError.OFFSET_METADATA_TOO_LARGE,
})  # fmt: skip
_FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001 - librdkafka's local codes are spelled so


# A topic takes only smaller batches of records: by max.message.bytes, or because its segments are as small.
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_GONE = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - as above


class BrokerLostError(Exception):
    """Brokers went away after a transaction had ended."""


class StoppedError(Exception):
    """The worker was told to stop while it waited for the cluster."""


class Succession:
    """Owns the transactional producer of one slot.

    Args:
        topics: where it writes.
        stopping: whether the worker was told to stop; asked while waiting for the cluster.
    """

    def __init__(self, station: Station, topics: Iterable[str], stopping: Callable[[], bool]) -> None:
        self._station = station
        self._settings = station.settings
        self._stopping = stopping
        self._hanging = Hanging(station, topics, stopping)
        self._fenced: deque[float] = deque()
        self._producer: Producer | None = None
        self._has_ended = False  # a transaction of this producer's
        self._batch_bytes = _BATCH_BYTES
        self.doubt: str | None = "start"
        """Why the next call of `ready` gives another producer; None while it gives the same."""
        self.generation = 0
        """Counts the producers."""

    def ready(self) -> Producer:
        """A producer without a transaction and without doubt; whatever lies in its topics is decided.

        Raises:
            StoppedError: the worker was told to stop meanwhile.
            Trouble: the cluster refuses this worker and will go on doing so, a transaction hangs, or brokers were
                silent for longer than the settings bear.
        """
        if self._producer is not None and self.doubt is None:
            self._hear(self._producer)
        while self._producer is None or self.doubt is not None:
            self._station.beat()
            self.discard()
            reason, self.doubt = self.doubt or "start", None
            self._has_ended = False
            self.generation += 1
            if reason != "start":
                REPLACEMENTS.labels(self._settings.source, reason).inc()
                self._station.log.warning("producer.replaced", reason=reason)
            producer = self._producer = self._station.cluster.producer(**self._config())
            try:
                self._initialize(producer)
            except KafkaException as failure:
                if self._stopping():
                    raise StoppedError from None
                self.refused(failure.args[0])
                self.doubt = failure.args[0].name()
                time.sleep(_PAUSE_S)
            else:
                if not self._hanging.over():
                    raise StoppedError
        return self._producer

    def decided(self, offsets: list[TopicPartition], *, new: bool) -> bool:
        """Whether a batch may follow what was sent before.

        Waits a moment: a worker that waits longer must poll its consumer meanwhile, or its group waits for it.

        Args:
            offsets: those that the batch will commit.
            new: whether the batch was read before the producer was made, which has looked at its topics since. One that
                has ended a transaction looks where brokers can lose its end unheard.

        Raises:
            Trouble: a transaction hangs (exit 4).
        """
        if self._has_ended and self._hanging.few and not self._hanging.over_within(_DECIDED_WAIT_S):
            return False
        unheard = self._has_ended and self._hanging.few_of_offsets
        return not (new or unheard) or self._hanging.offsets_over(offsets)

    def ended(self) -> None:
        """A transaction of the producer's is committed or aborted; from now on brokers that go away are heard of."""
        self._has_ended = True

    @contextmanager
    def doubted_if_slow(self, reason: str) -> Iterator[None]:
        """A request that was sent twice takes long, and that is all the client shows of it."""
        started = time.monotonic()
        try:
            yield
        finally:
            if (time.monotonic() - started) * 1000 > self._settings.slow_commit_ms:
                self.doubt = reason

    def refused(self, error: KafkaError) -> None:
        """Tell what another producer would meet too from what may pass.

        Raises:
            Trouble: it would: rights are missing (exit 3), or another process runs the slot (exit 4).
        """
        if error.code() in _HOPELESS:
            raise Trouble(
                f"the cluster refuses {self._settings.slot_id}: {error.name()}",
                hint="Check the ACLs of the worker's principal, and the brokers' transaction.max.timeout.ms and "
                "offset.metadata.max.bytes: `pipelines topics verify` says what they must be.",
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

    def makes_smaller(self, error: KafkaError) -> bool:
        """Halve the batches of records that the next producers send, when these are too large for the brokers.

        Returns whether that is so. Kafka takes or refuses a batch as a whole, so the same one would fail forever.
        """
        if error.code() not in _TOO_LARGE:
            return False
        self._batch_bytes = max(_LEAST_BATCH_BYTES, self._batch_bytes // 2)
        say = self._station.log.error if self._batch_bytes == _LEAST_BATCH_BYTES else self._station.log.warning
        say(
            "batches.smaller",
            reason=error.name(),
            bytes=self._batch_bytes,
            hint="Raise max.message.bytes or segment.bytes of the topics: `pipelines topics verify` names them.",
        )
        return True

    def discard(self) -> None:
        """Let the producer go. An open transaction, which only a failed batch leaves, ends by its timeout."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()

    def _listen(self, error: KafkaError) -> None:
        """Hear of a broker's going, in `poll` and `flush`, which then raise what this raises."""
        if self._has_ended and error.code() in _GONE:
            self.doubt = "broker_lost"
            raise BrokerLostError

    def _hear(self, producer: Producer) -> None:
        try:
            producer.poll(0)
        except BrokerLostError:
            pass
        except KafkaException as failure:  # it was fenced meanwhile, say
            self.refused(failure.args[0])
            self.doubt = failure.args[0].name()

    def _initialize(self, producer: Producer) -> None:
        began = time.monotonic()
        while True:
            self._station.beat()  # waiting for brokers that are away is not being stuck
            try:
                producer.init_transactions(_INIT_WAIT_S)
            except KafkaException as failure:
                if self._stopping():
                    raise StoppedError from None
                if not failure.args[0].retriable():
                    raise
                if time.monotonic() - began > self._settings.bears_silence_s:
                    raise unreachable(failure, self._station.cluster.bootstrap, "begin a transaction") from None
            else:
                return

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
            **({} if self._batch_bytes == _BATCH_BYTES else {"batch.size": self._batch_bytes}),
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "sticky.partitioning.linger.ms": 0,
            "queue.buffering.max.kbytes": 65_536,
        }
