"""What tests of Kafka clients do again and again, on any cluster: read, join a group, let time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.broker import Cluster, KafkaError, KafkaException, Message
from tests.support.memory_kafka import MemoryCluster
from tests.support.memory_kafka.consumer import MemoryConsumer
from tests.support.waiting import until

PATIENCE_S = 60.0


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Call a function again and again until it returns something true; it does the waiting between its calls."""
    until(is_so, what, limit_s=PATIENCE_S, sleep=lambda _: None)


def read(consumer: Any, count: int) -> list[Message]:
    """Read so many records. Rebalances are served on the way; an error other than an end of partition fails."""
    records: list[Message] = []

    def are_there() -> bool:
        for message in consumer.consume(count - len(records), 0.05):
            error = message.error()
            if error is None:
                records.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
        return len(records) == count

    wait_until(are_there, f"{count} records")
    return records


def values(consumer: Any, count: int) -> list[object]:
    """Return the values of the next records."""
    return [message.value() for message in read(consumer, count)]


def next_message(consumer: Any) -> Message:
    """Return what comes next: a record, an error or the end of a partition."""
    found: list[Message] = []
    # Not the message itself decides: its length is that of its value, and an end of a partition has none.
    wait_until(lambda: found.extend(consumer.consume(1, 0.1)) or found, "a message")
    return found[0]


def next_error(consumer: Any) -> Message:
    """Return the next message that is an error, ends of partitions aside. A record fails."""
    while True:
        message = next_message(consumer)
        error = message.error()
        assert error is not None
        if error.code() != KafkaError._PARTITION_EOF:
            return message


def stays_silent(consumer: Any) -> bool:
    """Return whether no record comes within a moment; an in-memory cluster has nothing that comes later."""
    return all(message.error() is not None for message in consumer.consume(1, moment_s(consumer)))


def moment_s(client: Any) -> float:
    """Return how long (seconds) something may take that a client does in the background."""
    return 0.01 if isinstance(client, MemoryConsumer) else 0.5


def transactional(cluster: Cluster, name: str, **settings: Any) -> Any:
    """Make a producer of that transactional id that has fenced all older ones."""
    producer = cluster.producer(**{"transactional.id": name, **settings})
    producer.init_transactions(PATIENCE_S)
    return producer


def raised(call: Callable[[], object]) -> KafkaError:
    """Return the error of the KafkaException that a call raises."""
    with pytest.raises(KafkaException) as caught:
        call()
    error: KafkaError = caught.value.args[0]
    return error


def flags(error: KafkaError) -> tuple[str, set[str]]:
    """Return an error's name, and what its flags demand."""
    demands = {"fatal": error.fatal(), "retriable": error.retriable(), "abort": error.txn_requires_abort()}
    return error.name(), {name for name, is_set in demands.items() if is_set}


def let_pass(cluster: Cluster, seconds: float) -> None:
    """Let the broker's time pass: an in-memory one's clock is moved."""
    if isinstance(cluster, MemoryCluster):
        cluster.advance(seconds)
    else:
        time.sleep(seconds)
