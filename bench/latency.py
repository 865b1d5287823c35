"""Latency: from the raw record's append (the broker's clock) to the minimized record in a reader's hands, at one rate.

Everything is on one machine, so there is one clock. A reader that reads committed records only sees a record when its
transaction is committed, so the time a batch waits to fill is in the figures. Publisher and reader note as little as
they can while they work, because they share the machine with what is measured; which record belongs to which raw event
is found out afterwards, by event id.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.contest import Contender, Running, wait_for
from bench.job import make_topics, number_of
from bench.rounds import Setting
from pipelines.broker import Producer, TopicPartition, headers_of, records
from pipelines.keys import event_block, topic_hash

_PATIENCE_S: Final = 300.0
_SETTLE_S: Final = 10.0
_WARM_S: Final = 3.0  # the first events of the rate are not counted: connections, first transactions, full caches
_TICK_S: Final = 0.002
_SWITCH_S: Final = 0.0005  # or the reader waits 5 ms for the publisher's thread


def latencies(
    setting: Setting, one: Contender, before: int, rate: int, seconds: float, folder: Path
) -> dict[str, float]:
    """Publish at a rate to a contender that is up to date.

    Args:
        setting: the run; its raw topic has `before` events by now.
        one: the contender.
        rate: events a second.
        seconds: for how long.
        folder: for the contender's log.

    Returns:
        rate (events a second that were published in fact), sent (so many), seen and unseen of those that count, and of
        these p50_ms, p95_ms, p99_ms, most_ms; without the times when more than one in a hundred was not seen.
    """
    run = f"{setting.name}-{one.name}-latency-{before}"
    topics = list(setting.job.topics(run))
    make_topics(setting.cluster, topics, setting.partitions)
    reader = Reader(setting, topics[0])
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    with (folder / f"{run}.log").open("wb") as log, Running(one, setting.description(run), log) as running:
        wait_for([running], before, _PATIENCE_S)
        reader.start(after=before)
        wanted = int(rate * (seconds + _WARM_S))
        took_s = _publish(setting, before, rate, wanted)
        until = time.monotonic() + _SETTLE_S
        while len(reader.at_ms) < wanted and time.monotonic() < until:
            time.sleep(0.1)
        reader.stop()
    sys.setswitchinterval(switch_s)
    appended = _appended(setting, before + int(rate * _WARM_S), copies=one.name == "passthrough")
    times = sorted(_times(setting, topics[0], reader, appended, copies=one.name == "passthrough"))
    told: dict[str, float] = {
        "rate": round(wanted / took_s),
        "sent": wanted,
        "seen": len(times),
        "unseen": len(appended) - len(times),
    }
    if len(times) < 0.99 * len(appended):
        return told
    cuts = statistics.quantiles(times, n=100)
    return {
        **told, "p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1), "p99_ms": round(cuts[98], 1),
        "most_ms": round(times[-1], 1),
    }  # fmt: skip


class Reader:
    """Reads a topic as it grows. `at_ms`, `partitions` and `offsets` are of each record, in the order they came."""

    def __init__(self, setting: Setting, topic: str) -> None:
        self.at_ms = array("d")
        self.partitions = array("l")
        self.offsets = array("q")
        self._setting = setting
        self._topic = topic
        self._done = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self, after: int) -> None:
        """Read what comes after so many records, those that are there already."""
        until = time.monotonic() + _PATIENCE_S
        while sum(end - start for start, end in self._ends()) < after and time.monotonic() < until:
            time.sleep(0.1)
        self._thread.start()
        self._ready.wait(_SETTLE_S)

    def stop(self) -> None:
        """End."""
        self._done.set()
        self._thread.join()

    def _ends(self) -> list[tuple[int, int]]:
        consumer = self._setting.cluster.consumer()
        ends = [consumer.get_watermark_offsets(place, 5) for place in self._places()]
        consumer.close()
        return ends

    def _places(self) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in range(self._setting.partitions)]

    def _read(self) -> None:
        consumer = self._setting.cluster.consumer(**{"fetch.wait.max.ms": 5})
        ends = zip(self._places(), self._ends(), strict=True)
        consumer.assign([TopicPartition(place.topic, place.partition, end) for place, (_, end) in ends])
        self._ready.set()
        while not self._done.is_set():
            messages = consumer.consume(1_000, 0.002)
            at = time.time() * 1000
            for message in messages:
                if message.error() is None:
                    self.at_ms.append(at)
                    self.partitions.append(message.partition() or 0)
                    self.offsets.append(message.offset() or 0)
        consumer.close()


def _publish(setting: Setting, before: int, rate: int, wanted: int) -> float:
    """Publish so many events evenly, in steps of 2 ms and with the SDK's own linger; how long it took (s).

    A shorter linger makes thousands of tiny batches a second, and what is then measured is the broker.
    """
    events = list(setting.job.events(before + wanted))[before:]
    producer: Producer = setting.cluster.producer(**{"linger.ms": 10, "queue.buffering.max.messages": 1_000_000})
    began, sent = time.monotonic(), 0
    while sent < wanted:
        due = min(wanted, int((time.monotonic() - began) * rate) + 1)
        for key, value in events[sent:due]:
            producer.produce(setting.raw_topic, value, key)
        sent = due
        producer.poll(0)
        time.sleep(_TICK_S)
    producer.flush(30)
    return time.monotonic() - began


def _appended(setting: Setting, first: int, *, copies: bool) -> dict[bytes | int, int]:
    """When each raw event from that number on was appended (ms), by its event id, or its number."""
    job, short = setting.job, topic_hash(setting.raw_topic_id())
    purpose = job.contract.purposes[job.event.views[0].purpose]
    places = [
        (number_of(message.value() or b""), message.timestamp()[1], message.partition() or 0, message.offset() or 0)
        for message in records(setting.cluster, setting.raw_topic)
    ]
    if copies:
        return {number: at for number, at, _, _ in places if number >= first}
    return {
        job.keys.subkeys_at(purpose, at).event_ids(event_block(short, partition, offset)).hex().encode(): at
        for number, at, partition, offset in places
        if number >= first
    }


def _times(
    setting: Setting, topic: str, reader: Reader, appended: dict[bytes | int, int], *, copies: bool
) -> Iterator[float]:
    """How long each event took (ms) of those that `appended` has."""
    seen = dict(zip(zip(reader.partitions, reader.offsets, strict=True), reader.at_ms, strict=True))
    for message in records(setting.cluster, topic):
        at = seen.get((message.partition() or 0, message.offset() or 0))
        key: Any = number_of(message.value() or b"") if copies else dict(headers_of(message))["ce_id"]
        if at is not None and key in appended:
            yield at - appended[key]
