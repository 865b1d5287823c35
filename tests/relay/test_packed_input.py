"""Compressed batches on their way into raw topics of a real broker: good ones arrive, bombs are refused and told."""

from __future__ import annotations

import pytest

from pipelines.broker import TopicPartition
from pipelines.sdk import RawProducer
from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import CALL_S

CODECS = ("none", "lz4", "zstd", "gzip", "snappy")
# librdkafka's `message.max.bytes` counts some 50 bytes of framing for each record.
LARGEST = 1_000_000 - 100
ZEROS = bytes(500_000)


def records_in(house: RelayFixture) -> int:
    consumer = house.cluster.consumer()
    try:
        ends = (consumer.get_watermark_offsets(TopicPartition(house.raw_topic, n), timeout=CALL_S) for n in range(3))
        return sum(high for _, high in ends)
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", CODECS)
def test_events_of_the_sdk_arrive_compressed_and_up_to_its_largest_event_and_batch(
    house: RelayFixture, codec: str
) -> None:
    """Batches fill up to the client's 1,000,000 bytes before compression, whatever they compress to."""
    event, sent = f"{house.source}.ping", 0
    with RawProducer(
        house.cluster, house.contract, overrides={"compression.type": codec, "linger.ms": 200}
    ) as producer:
        for size in (7, 1_000, 300_000, LARGEST // 2, LARGEST):
            for number in range(max(6, min(5_000, 3_000_000 // size))):
                producer.send_encoded(
                    event, bytes(size), key=None if size == LARGEST else b"synthetic-%d" % (number % 7)
                )
                sent += 1
        report = producer.flush(60)
    assert (report.acknowledged, report.unacknowledged) == (sent, ())
    assert records_in(house) == sent


@pytest.mark.parametrize("codec", ["lz4", "zstd", "gzip"])
def test_a_batch_that_unpacks_beyond_the_topics_limit_is_refused_and_each_event_of_it_reported(
    house: RelayFixture, codec: str
) -> None:
    event = f"{house.source}.ping"
    large = {"message.max.bytes": 100_000_000, "batch.size": 100_000_000, "linger.ms": 300, "compression.type": codec}
    with RawProducer(house.cluster, house.contract, overrides=large) as producer:
        for _ in range(8):
            producer.send_encoded(event, ZEROS, key=b"synthetic-device")
        report = producer.flush(60)
        assert report.acknowledged == 0
        assert [(each.number, each.error) for each in report.unacknowledged] == [
            (number, "MSG_SIZE_TOO_LARGE") for number in range(1, 9)
        ]
        assert records_in(house) == 0
        producer.send_encoded(event, house.ping(1), key=b"synthetic-device")
        assert producer.flush(60).acknowledged == 1
    assert records_in(house) == 1


@pytest.mark.parametrize("where", ["key", "header"])
def test_zeros_in_keys_and_headers_count_as_those_in_values_do(house: RelayFixture, where: str) -> None:
    refused: list[str] = []
    producer = house.cluster.producer(
        **{"compression.type": "zstd", "message.max.bytes": 100_000_000, "batch.size": 100_000_000, "linger.ms": 300}
    )
    padding = {"key": ZEROS} if where == "key" else {"headers": [("padding", ZEROS)]}
    for number in range(8):
        producer.produce(
            house.raw_topic,
            house.ping(number),
            partition=0,
            on_delivery=lambda error, _: refused.append("" if error is None else error.name()),
            **padding,
        )
    flushed(producer)
    assert refused == ["MSG_SIZE_TOO_LARGE"] * 8
    assert records_in(house) == 0
