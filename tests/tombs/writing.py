"""What the kinds write with: topics, producers, records that keep coming, and the bound that a grave is sealed with."""

from __future__ import annotations

from typing import Any, Final

from pipelines import retention
from pipelines.broker import KafkaException, Producer
from tests.support.kafka import flushed
from tests.support.waiting import CALL_S
from tests.tombs.grave import Grave
from tests.tombs.yard import RETENTION_MS, SEGMENT_MS, TIMES, Yard, now_ms

BEAT_S: Final = 0.2


def worst_ms(late_ms: int = 0, times: retention.BrokerTimes = TIMES) -> int:
    """The bound under the yard's settings, from the raw broker time on."""
    return retention.worst_case_ms(RETENTION_MS, SEGMENT_MS, late_ms, 0, times)


def ttl_ms(worst: int) -> int:
    """A promise that a contract could make: the next full ten seconds."""
    return -(-worst // 10_000) * 10_000


def seal(yard: Yard, grave: Grave, born_ms: int, worst: int | None = None) -> None:
    """Seal it with the plain bound, or with another one, and see at once that the canary is there."""
    bound = worst_ms() if worst is None else worst
    grave.seal(born_ms=born_ms, worst_ms=bound, ttl_ms=ttl_ms(bound))
    yard.look_at(grave)


def open_topic(yard: Yard, grave: Grave, **configs: str) -> str:
    """The grave's topic, watched from now on."""
    grave.topic = yard.make_topic(f"tomb.{grave.kind}.{grave.round}.{grave.attempt}", **configs)
    yard.dig(grave)
    return grave.topic


def producer_of(yard: Yard, grave: Grave, *, transactional: bool = False) -> Producer:
    """A producer; a transactional one is ready to begin."""
    if not transactional:
        return yard.kafka.cluster.producer(**{"linger.ms": 0})
    producer = yard.kafka.cluster.producer(
        **{
            "transactional.id": f"tomb.{grave.kind}.{grave.round}.{grave.attempt}",
            "transaction.timeout.ms": TIMES.transaction_timeout_ms,
            "message.timeout.ms": TIMES.transaction_timeout_ms,  # neither may be longer
            "socket.timeout.ms": TIMES.transaction_timeout_ms,
            "linger.ms": 0,
        }
    )
    producer.init_transactions(CALL_S)
    return producer


def write(producer: Producer, topic: str, value: bytes, at_ms: int) -> None:
    """Write one record with its own time, and wait until it is written."""
    said: list[Any] = []
    producer.produce(topic, value, timestamp=at_ms, on_delivery=lambda error, _message: said.append(error))
    flushed(producer)
    assert said == [None], f"not written: {said[0]}"


def fill(grave: Grave, producer: Producer, topic: str) -> None:
    """Keep the topic busy until the grave is done."""
    while not grave.done.wait(BEAT_S):
        producer.produce(topic, b"filler", timestamp=now_ms())
        producer.poll(0)
    producer.flush(5)


def fill_in_transactions(yard: Yard, grave: Grave, producer: Producer, topic: str) -> None:
    """The same, each record in a transaction of its own."""
    while not grave.done.wait(BEAT_S):
        try:
            producer.begin_transaction()
            producer.produce(topic, b"filler", timestamp=now_ms())
            producer.commit_transaction(CALL_S)
        except KafkaException:  # on a busy machine a transaction may time out; the next producer ends it
            producer = producer_of(yard, grave, transactional=True)
