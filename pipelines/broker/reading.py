"""Reading a topic, to where it ends now or on and on, without joining a group or committing anything."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, cast

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, Message, TopicPartition

from pipelines.broker.cluster import REACH_S, Cluster
from pipelines.broker.unreachable import unreachable
from pipelines.trouble import Trouble

_BATCH: Final = 5_000
_WAIT_S: Final = 0.5  # short, so that Ctrl-C is heard


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """A record's headers in their order; one without a value gives no bytes."""
    # The stubs allow a dict, which only `produce` takes.
    pairs = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    return [(name, value.encode() if isinstance(value, str) else value or b"") for name, value in pairs]


def records(
    cluster: Cluster, topic: str, *, from_beginning: bool = True, follow: bool = False
) -> Generator[Message, None, None]:
    """Every committed record of the topic, each partition's in their order, up to where they end now.

    Args:
        cluster: where the topic is.
        topic: its name.
        from_beginning: begin at the oldest record; else at the first one to come.
        follow: do not end, but wait for what comes.

    Raises:
        Trouble: (exit 3) there is no such topic, or no broker answers.
    """
    info = cluster.admin().topics([topic]).get(topic)
    if info is None:
        raise Trouble(f"there is no topic {topic}", hint="`pipelines topics apply` creates the contract's topics.")
    begin = OFFSET_BEGINNING if from_beginning else OFFSET_END
    consumer = cluster.consumer(**{"enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(topic, number, begin) for number in range(info.partitions)])
        open_partitions = set(range(info.partitions))
        while follow or open_partitions:
            messages = consumer.consume(_BATCH, 0.2) or consumer.consume(1, _WAIT_S if follow else REACH_S)
            if not messages and not follow:
                raise unreachable(None, cluster.bootstrap, f"read {topic}")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's local codes are spelled so
                    open_partitions.discard(message.partition() or 0)
                elif not error.retriable():
                    raise unreachable(error, cluster.bootstrap, f"read {topic}")
    finally:
        consumer.close()
