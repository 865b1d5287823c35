"""Reading a topic, to where it ends now or on and on, without joining a group or committing anything."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Final, cast

from confluent_kafka import KafkaError, Message, TopicPartition

from pipelines.broker.answers import At
from pipelines.broker.cluster import REACH_S, Cluster
from pipelines.broker.passing import passes
from pipelines.broker.unreachable import unreachable
from pipelines.trouble import Trouble

_BATCH: Final = 5_000
_WAIT_S: Final = 0.02  # a longer one is waited out in full, whatever came


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """A record's headers in their order; one without a value gives no bytes."""
    # The stubs allow a dict, which only `produce` takes.
    pairs = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    return [(name, value.encode() if isinstance(value, str) else value or b"") for name, value in pairs]


def records(
    cluster: Cluster, topic: str, *, begin: At = "earliest", follow: bool = False
) -> Generator[Message, None, None]:
    """Every committed record of the topic, each partition's in their order, up to where they end now.

    Args:
        cluster: where the topic is.
        topic: its name.
        begin: the oldest record, the first one to come, or the first one that is not older than a time (ms).
        follow: do not end, but wait for what comes.

    Raises:
        Trouble: (exit 3) there is no such topic, or no broker answers.
    """
    admin = cluster.admin()
    info = admin.topics([topic]).get(topic)
    if info is None:
        raise Trouble(f"there is no topic {topic}", hint="`pipelines topics apply` creates the contract's topics.")
    partitions = [(topic, number) for number in range(info.partitions)]
    starts = admin.offsets(partitions, begin)
    ends = {} if begin == "earliest" else admin.offsets(partitions, "latest")
    # The broker holds a fetch that finds nothing back for so long, and the end is known by such a fetch.
    consumer = cluster.consumer(**{"enable.partition.eof": True, "fetch.wait.max.ms": 500 if follow else 10})
    try:
        consumer.assign([
            TopicPartition(*partition, start.offset if start.offset >= 0 else ends[partition].offset)
            for partition, start in starts.items()
        ])  # fmt: skip
        open_partitions = set(range(info.partitions))
        heard_at = time.monotonic()
        while follow or open_partitions:
            messages = consumer.consume(_BATCH, _WAIT_S)
            heard = False
            for message in messages:
                error = message.error()
                heard |= error is None or error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's local codes are spelled so
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
                    open_partitions.discard(message.partition() or 0)
                elif not passes(error):
                    raise unreachable(error, cluster.bootstrap, f"read {topic}")
            if heard:
                heard_at = time.monotonic()
            elif not follow and time.monotonic() - heard_at > REACH_S:
                raise unreachable(None, cluster.bootstrap, f"read {topic}")
    finally:
        consumer.close()
