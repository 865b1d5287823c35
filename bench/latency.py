"""Latency: from the raw record's append (the broker's clock) to the minimized record in a reader's hands, at one rate.

Everything is on one machine, so there is one clock. A reader that reads committed records only sees a record when its
transaction is committed, so the time a batch waits to fill is in the figures.
"""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.contest import Contender, Running
from bench.job import Job, make_topics, number_of
from bench.rounds import Setting
from pipelines.broker import Message, TopicPartition, headers_of
from pipelines.keys import event_block, topic_hash

_PATIENCE_S = 300.0
_SETTLE_S = 10.0


@dataclass(slots=True)
class Sent:
    """When each raw event was appended (ms), by its number and by the event id of its first view's record."""

    by_number: dict[int, int] = field(default_factory=dict)
    by_id: dict[bytes, int] = field(default_factory=dict)


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
        p50_ms, p95_ms, p99_ms, and how many events were seen.
    """
    run = f"{setting.name}-{one.name}-latency"
    topics = list(setting.job.topics(run))
    make_topics(setting.cluster, topics, setting.partitions)
    seen: dict[bytes | int, float] = {}
    done = threading.Event()
    with (folder / f"{run}.log").open("wb") as log, Running(one, setting.description(run), log) as running:
        running.wait_for(before, _PATIENCE_S)
        reading = threading.Thread(target=_read, args=(setting, topics[0], seen, done, one.name == "passthrough"))
        reading.start()
        sent = _publish(setting, before, rate, seconds)
        until = time.monotonic() + _SETTLE_S
        while len(seen) < len(sent.by_number) and time.monotonic() < until:
            time.sleep(0.1)
        done.set()
        reading.join()
    appended = sent.by_number if one.name == "passthrough" else sent.by_id
    times = sorted(at - appended[key] for key, at in seen.items() if key in appended)  # type: ignore[index]
    if len(times) < len(sent.by_number) // 2:
        return {"seen": len(times)}
    cuts = statistics.quantiles(times, n=100)
    return {
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
        "seen": len(times),
    }


def _publish(setting: Setting, before: int, rate: int, seconds: float) -> Sent:
    job, sent = setting.job, Sent()
    short, view = topic_hash(setting.raw_topic_id()), job.event.views[0]
    purpose = job.contract.purposes[view.purpose]

    def delivered(_error: object, message: Message) -> None:
        at = message.timestamp()[1]
        block = event_block(short, message.partition() or 0, message.offset() or 0)
        sent.by_number[number_of(message.value() or b"")] = at
        sent.by_id[job.keys.subkeys_at(purpose, at).event_ids(block).hex().encode()] = at

    producer = setting.cluster.producer(**{"linger.ms": 1})
    began = time.monotonic()
    for number, (key, value) in enumerate(_fresh(job, before, int(rate * seconds))):
        ahead_s = began + number / rate - time.monotonic()
        if ahead_s > 0:
            producer.poll(ahead_s)
        producer.produce(setting.raw_topic, value, key, on_delivery=delivered)
    producer.flush(30)
    return sent


def _fresh(job: Job, before: int, count: int) -> list[tuple[bytes, bytes]]:
    return list(job.events(before + count))[before:]


def _read(
    setting: Setting,
    topic: str,
    seen: dict[bytes | int, float],
    done: threading.Event,
    copies: bool,  # noqa: FBT001
) -> None:
    consumer = setting.cluster.consumer(**{"auto.offset.reset": "earliest", "fetch.wait.max.ms": 5})
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, number))[1] for number in range(setting.partitions)]
    consumer.assign([TopicPartition(topic, number, end) for number, end in enumerate(ends)])
    while not done.is_set():
        messages = consumer.consume(500, 0.005)
        at = time.time() * 1000
        for message in messages:
            if message.error() is None:
                key = number_of(message.value() or b"") if copies else dict(headers_of(message))["ce_id"]
                seen[key] = at
    consumer.close()
