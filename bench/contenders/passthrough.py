"""The floor: what the Kafka client costs by itself.

Copies each event's bytes, with the headers of ours, exactly once, in batches of the same size. The headers are one
list, made before the first event.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from ticking import job, tick

sys.path.append(str(Path(__file__).resolve().parents[2]))

from pipelines.broker import Cluster, Consumer, Producer, TopicPartition
from pipelines.relay.collector import relax
from pipelines.relay.limits import FETCHING


def main() -> None:
    """Work until standard input ends."""
    wanted = job()
    cluster = Cluster(wanted["bootstrap"])
    consumer: Consumer = cluster.consumer(
        **{"group.id": wanted["run"], "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100, **FETCHING}
    )
    producer: Producer = cluster.producer(
        **{
            "transactional.id": wanted["run"], "linger.ms": 5, "sticky.partitioning.linger.ms": 0,
            "queue.buffering.max.kbytes": 65_536,
        }
    )  # fmt: skip
    producer.init_transactions(30)
    consumer.subscribe([wanted["raw_topic"]])
    headers = [(name, text.encode()) for name, text in wanted["headers"].items()]
    topics, batch, linger_s = (
        wanted["topics"],
        wanted["settings"]["batch_events"],
        wanted["settings"]["linger_ms"] / 1000,
    )
    done, stopping = 0, threading.Event()
    tick(lambda: done, stopping.set)
    relax()  # as ours does
    while not stopping.is_set():
        messages = consumer.consume(batch, linger_s)
        if not messages:
            continue
        producer.begin_transaction()
        ends: dict[int, int] = {}
        for message in messages:
            value, key = message.value(), message.key()
            ends[message.partition()] = message.offset() + 1
            for topic in topics:
                while True:
                    try:
                        producer.produce(topic, value, key, headers=headers)
                        break
                    except BufferError:
                        producer.poll(0.05)
        producer.flush(30)
        offsets = [TopicPartition(wanted["raw_topic"], partition, end) for partition, end in ends.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
        producer.commit_transaction(30)
        done += len(messages)
    os._exit(0)


if __name__ == "__main__":
    main()
