"""Raw batches that the Kafka client cannot unpack, as topics of an older release may hold them."""

from __future__ import annotations

from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture, running
from tests.support.waiting import CALL_S, until

# Zeros that zstd packs into a few hundred bytes, and that unpack to more than the client takes.
BIG, PIECES = 5 << 20, 4


def keep_packed(house: RelayFixture, codec: str = "producer") -> None:
    """Let the brokers store raw batches as they come, as they did before `compression.type` was set on raw topics."""
    admin = house.cluster.admin(timeout_s=CALL_S)
    house.cluster.changer().set(house.raw_topic, {"compression.type": codec})
    in_force = lambda: admin.topic_configs([house.raw_topic])[house.raw_topic]["compression.type"]  # noqa: E731
    until(lambda: in_force() == codec, f"{codec} batches on disk")


def publish_a_bomb(house: RelayFixture, partition: int, pieces: int = PIECES) -> None:
    """One compressed batch of so many records, which brokers refuse where they unpack batches."""
    keep_packed(house)
    settings = {"compression.type": "zstd", "message.max.bytes": 200_000_000, "batch.size": 200_000_000}
    producer = house.cluster.producer(**settings, **{"linger.ms": 500})
    failed: list[object] = []
    for _ in range(pieces):
        producer.produce(
            house.raw_topic, bytes(BIG), partition=partition, on_delivery=lambda e, _: e and failed.append(e)
        )
    flushed(producer)
    assert failed == []


def through(house: RelayFixture) -> None:
    with running(house.worker(batch_events=3)) as raised:
        house.wait_until_through()
    assert raised == []
