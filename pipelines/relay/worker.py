"""A worker: one process that minimizes the raw events of one source, exactly once.

    poll → minimize → begin → produce → offsets → commit, and again; a failed batch is read again.

Minimizing comes before the transaction begins, so that a missing key or a fault of ours leaves nothing open.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from pipelines.broker import KafkaException
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, topic_hash
from pipelines.relay import metrics
from pipelines.relay.batch import Batch
from pipelines.relay.believed import BelievedTime
from pipelines.relay.gauges import Gauges
from pipelines.relay.inbox import Inbox, Polled
from pipelines.relay.intake import Intake
from pipelines.relay.lane import Lane
from pipelines.relay.membership import ConsumerLostError
from pipelines.relay.outbox import Outbox
from pipelines.relay.station import Station
from pipelines.relay.steps import Step
from pipelines.relay.succession import StoppedError
from pipelines.stopping import StopFlag

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
        station = self._station = replace(station, waiting=self._show_gauges, keyring=keyring.mark)
        self._log = station.log
        self._clock = clock
        self._stopping = StopFlag()
        self._stop_cause = ""
        self._source = station.settings.source
        self._lanes = {
            event.raw_topic: Lane(contract, event, keyring, topic_hash(topic_ids[event.raw_topic]))
            for event in contract.events_of(self._source)
        }
        self._intake = Intake(self._lanes)
        topics = {raw_topic: lane.topics for raw_topic, lane in self._lanes.items()}
        self._inbox = Inbox(station, topics)
        self._gauges = Gauges(contract, keyring, station.log, topics, (self._source, station.settings.slot))
        outputs = {name for names in topics.values() for name in names}
        self._outbox = Outbox(station, outputs, contract.quarantine.name, self._stopping.is_set)
        self._believed = BelievedTime(clock, self._outbox.brokers_ms, self._source, station.log)

    def stop(self, cause: str) -> None:
        """Finish the batch in progress, then leave. May be called from a signal handler or another thread."""
        if not self._stopping.is_set():
            self._stop_cause = cause  # logged by `run`: a handler may have interrupted a line that is being written
            self._stopping.set()

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
                self._show_gauges()
                self._gauges.turned(self._clock(), self._inbox.suspects())
            self._leave()
        except StoppedError:
            self._leave()
        finally:
            self._inbox.close()
            self._outbox.close()

    def _leave(self) -> None:
        self._log.info("worker.stopping", cause=self._stop_cause)
        self._station.at(Step.STOPPING)

    def _turn(self) -> None:
        polled = self._inbox.poll()
        started = time.monotonic()
        self._station.at(Step.POLLED)
        if polled is None:
            return
        batch = self._minimized_in_time(polled)
        if batch is None:
            self._recover()
        elif self._outbox.deliver(batch, self._inbox.offsets(batch.books), polled.membership):
            metrics.committed(batch, self._inbox.books)
            self._inbox.advance(batch.books)
            self._gauges.committed()
            metrics.BATCH_SECONDS.labels(self._source).observe(time.monotonic() - started)
        else:
            if self._outbox.time_refused:
                self._believed.doubt()
            self._recover()

    def _minimized_in_time(self, polled: Polled) -> Batch | None:
        """Minimize what was polled, by a time that a broker has confirmed if need be; None: no broker answered."""
        if self._believed.due() and not self._believed.ask():
            return None
        batch = self._minimized(polled)
        if self._believed.must_ask(batch):
            if not self._believed.ask():
                return None
            batch = self._minimized(polled)
            if batch.ahead:
                self._log.error("input.ahead", events=batch.ahead, seconds=batch.ahead_ms // 1000)
        return batch

    def _minimized(self, polled: Polled) -> Batch:
        batch = Batch(now_ms=self._believed.now_ms(), events=len(polled.events))
        for raw_topic, partition in self._inbox.unsaved:
            batch.book(self._inbox.books, raw_topic, partition)
        self._intake.take(batch, self._inbox.books, polled.events)
        for (raw_topic, partition), end in polled.ends.items():
            batch.book(self._inbox.books, raw_topic, partition).next_offset = end
        for span in polled.unreadable:
            self._intake.give_up(batch, self._inbox.books, span)
        return batch

    def _show_gauges(self) -> None:
        """Show where the partitions stand. A consumer that does not answer leaves it as it was."""
        if self._gauges.due(self._clock()):
            with suppress(ConsumerLostError, KafkaException):
                self._gauges.show(self._clock(), self._inbox.standings())

    def _recover(self) -> None:
        self._station.at(Step.RECOVERING)
        metrics.REWINDS.labels(self._source).inc()
        gc.collect()  # what failed may hold its batch in a circle
        self._outbox.settle()
        self._inbox.rewind()

    def _replace_consumer(self, reason: str) -> None:
        self._station.at(Step.RECOVERING)
        self._log.warning("consumer.replaced", reason=reason)
        self._stopping.wait(_CONSUMER_PAUSE_S)
        self._outbox.settle()
        self._inbox.open()
