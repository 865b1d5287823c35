"""A worker: one process that minimizes the raw events of one source, exactly once.

    poll → minimize → begin → produce → offsets → commit, and again; a failed batch is read again.

Minimizing comes before the transaction begins, so that a missing key or a fault of ours leaves nothing open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from pipelines.broker import TIMESTAMP_LOG_APPEND_TIME, Message
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, topic_hash
from pipelines.relay import metrics
from pipelines.relay.batch import Batch
from pipelines.relay.inbox import ConsumerLostError, Inbox
from pipelines.relay.lane import NO_BROKER_TIME, Lane, Raw
from pipelines.relay.outbox import Outbox, StoppedError
from pipelines.relay.station import Station
from pipelines.relay.steps import Step
from pipelines.retention import SLACK_MS

_GAUGES_EVERY_S = 1.0
_SHORT_RUNWAY_MS = 72 * 3_600_000
_CONSUMER_PAUSE_S = 0.2


class Worker:
    """Built from a valid contract and a cluster that `preflight` has looked at.

    Args:
        topic_ids: raw topic → its id (16 bytes), which enters the event ids.
        clock: seconds since 1970; tests move it by hand.
    """

    def __init__(
        self,
        station: Station,
        contract: Contract,
        keyring: Keyring,
        topic_ids: Mapping[str, bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._station = station
        self._contract = contract
        self._keyring = keyring
        self._log = station.log
        self._clock = clock
        self._stopping = threading.Event()
        self._source = station.settings.source
        self._lanes = {
            event.raw_topic: Lane(contract, event, keyring, topic_hash(topic_ids[event.raw_topic]))
            for event in contract.events_of(self._source)
        }
        self._inbox = Inbox(station, {raw_topic: lane.topics for raw_topic, lane in self._lanes.items()})
        self._outbox = Outbox(station, contract.quarantine.name, self._stopping.is_set)
        self._newest_s: dict[str, float] = {}
        self._broker_ms = 0  # the newest broker time that was ever ahead of this worker's clock
        self._gauges_due = 0.0
        self._warned: set[str] = set()

    def stop(self, cause: str) -> None:
        """Finish the batch at hand, then leave. May be called from a signal handler or another thread."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._log.info("worker.stopping", cause=cause)

    def run(self) -> None:
        """Relay until `stop`.

        Raises:
            Trouble: a key is missing, or the cluster refuses this worker.
        """
        try:
            self._outbox.settle()
            self._inbox.open()
            self._log.info("worker.ready", topics=sorted(self._lanes))
            while not self._stopping.is_set():
                try:
                    self._turn()
                except ConsumerLostError as lost:
                    self._replace_consumer(str(lost))
            self._station.at(Step.STOPPING)
        except StoppedError:
            self._station.at(Step.STOPPING)
        finally:
            self._inbox.close()
            self._outbox.close()

    def _turn(self) -> None:
        polled = self._inbox.poll()
        started = time.monotonic()
        self._station.at(Step.POLLED)
        self._show_gauges()
        if polled is None:
            return
        batch = Batch(now_ms=max(int(self._clock() * 1000), self._broker_ms), events=len(polled.events))
        for raw_topic, partition in self._inbox.unsaved:
            batch.book(self._inbox.books, raw_topic, partition)
        for message in polled.events:
            self._take(batch, message)
        if self._outbox.deliver(batch, self._inbox.offsets(batch.books), polled.membership):
            metrics.committed(batch, self._inbox.books)
            self._inbox.advance(batch.books)
            metrics.BATCH_SECONDS.labels(self._source).observe(time.monotonic() - started)
        else:
            self._recover()

    def _take(self, batch: Batch, message: Message) -> None:
        raw_topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert raw_topic is not None and partition is not None and offset is not None  # noqa: S101, PT018 - it has no error
        kind, timestamp_ms = message.timestamp()
        lane, book = self._lanes[raw_topic], batch.book(self._inbox.books, raw_topic, partition)
        raw = Raw(partition, offset, timestamp_ms, message.value())
        if kind == TIMESTAMP_LOG_APPEND_TIME:
            if timestamp_ms > batch.now_ms:
                self._believe(batch, timestamp_ms)
            lane.take(batch, book, raw)
            self._newest_s[raw_topic] = timestamp_ms / 1000
        else:
            lane.refuse(batch, book, raw, NO_BROKER_TIME)

    def _believe(self, batch: Batch, broker_ms: int) -> None:
        """It is later than this worker's clock says: what is too late is then decided by the brokers' time.

        Else a worker whose clock is behind would relay what is past its time, and that would outlive its TTL.
        """
        batch.now_ms = self._broker_ms = broker_ms
        behind_ms = broker_ms - int(self._clock() * 1000)
        metrics.CLOCK_BEHIND.labels(self._source).set(behind_ms / 1000)
        if behind_ms > SLACK_MS and "clock" not in self._warned:
            self._warned.add("clock")
            self._log.error("clock.behind", seconds=behind_ms // 1000)

    def _recover(self) -> None:
        self._station.at(Step.RECOVERING)
        metrics.REWINDS.labels(self._source).inc()
        self._outbox.settle()
        self._inbox.rewind()

    def _replace_consumer(self, reason: str) -> None:
        self._station.at(Step.RECOVERING)
        self._log.warning("consumer.replaced", reason=reason)
        self._stopping.wait(_CONSUMER_PAUSE_S)
        self._outbox.settle()
        self._inbox.open()

    def _show_gauges(self) -> None:
        now = self._clock()
        if now < self._gauges_due:
            return
        self._gauges_due = now + _GAUGES_EVERY_S
        lag = self._inbox.lag()
        metrics.lag(lag, {t: now - newest for t, newest in self._newest_s.items() if lag.get(t)})
        names = {plan.purpose.name for lane in self._lanes.values() for plan in lane.plans}
        purposes = [self._contract.purposes[name] for name in sorted(names)]
        runway = {purpose.name: self._keyring.runway_ms(purpose, int(now * 1000)) for purpose in purposes}
        metrics.purposes(runway, [(p.name, p.review.expires_ms) for p in purposes if p.review])
        self._warn(runway, int(now * 1000))

    def _warn(self, runway: dict[str, int], now_ms: int) -> None:
        for name, left_ms in runway.items():
            if left_ms < _SHORT_RUNWAY_MS and name not in self._warned:
                self._warned.add(name)
                self._log.warning("keys.runway_short", purpose=name, hours=left_ms // 3_600_000)
            review = self._contract.purposes[name].review
            if (review is None or review.expires_ms <= now_ms) and f"review {name}" not in self._warned:
                self._warned.add(f"review {name}")
                self._log.error("review.expired", purpose=name)
