"""Reading a topic from its beginning to where it ends now, without joining a group or committing anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition

from pipelines.broker.cluster import REACH_S, Cluster
from pipelines.broker.unreachable import unreachable
from pipelines.trouble import Trouble

_BATCH: Final = 5_000


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """A record's headers in their order; one without a value gives no bytes."""
    # The stubs allow a dict, which only `produce` takes.
    pairs = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    return [(name, value.encode() if isinstance(value, str) else value or b"") for name, value in pairs]


def records(cluster: Cluster, topic: str) -> Iterator[Message]:
    """Every committed record of the topic, each partition's in their order.

    Raises:
        Trouble: (exit 3) there is no such topic, or no broker answers.
    """
    info = cluster.admin().topics([topic]).get(topic)
    if info is None:
        raise Trouble(f"there is no topic {topic}", hint="`pipelines topics apply` creates the contract's topics.")
    consumer = cluster.consumer(**{"enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(info.partitions)])
        open_partitions = info.partitions
        while open_partitions:
            messages = consumer.consume(_BATCH, 0.2) or consumer.consume(1, REACH_S)
            if not messages:
                raise unreachable(None, cluster.bootstrap, f"read {topic}")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's local codes are spelled so
                    open_partitions -= 1
                elif not error.retriable():
                    raise unreachable(error, cluster.bootstrap, f"read {topic}")
    finally:
        consumer.close()
