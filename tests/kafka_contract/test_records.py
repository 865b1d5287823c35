"""Records on their way in: bytes, times, partitions, delivery reports, and what is refused."""

import time
from typing import Any

import pytest

from pipelines.broker import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Cluster, KafkaException, TopicPartition
from tests.support.kafka_clients import raised, read, wait_until

# Java's own test vectors (org.apache.kafka.common.utils.UtilsTest, testMurmur2).
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def all_of(cluster: Cluster, topic: str, count: int) -> list[Any]:
    with cluster.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return read(consumer, count)


def test_keys_values_and_headers_come_out_as_they_went_in(any_cluster: Cluster, topic: str) -> None:
    headers = [("a", b"1"), ("b", b""), ("a", b"\x00\xff"), ("none", None)]
    sent = [
        (b"key", b"value", headers),
        (None, None, None),
        (b"", b"", []),
        (b"\x00\xff", bytes(range(256)), [("one", b"x")]),
        ("schlüssel", "größe", {"text": "wört"}),
    ]
    producer = any_cluster.producer()
    for key, value, pairs in sent:
        producer.produce(topic, value, key, headers=pairs)
    producer.flush(30)
    found = [(message.key(), message.value(), message.headers()) for message in all_of(any_cluster, topic, 5)]
    assert found == [
        (b"key", b"value", headers),
        (None, None, None),
        (b"", b"", None),
        (b"\x00\xff", bytes(range(256)), [("one", b"x")]),
        ("schlüssel".encode(), "größe".encode(), [("text", "wört".encode())]),
    ]
    assert [len(message) for message in all_of(any_cluster, topic, 5)] == [5, 0, 0, 256, 7]


def test_each_partition_keeps_the_order(any_cluster: Cluster, new_topic: Any) -> None:
    topic = new_topic(partitions=3)
    producer = any_cluster.producer()
    for number in range(300):
        producer.produce(topic, str(number).encode(), partition=number % 3)
    producer.flush(30)
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(3)])
        messages = read(consumer, 300)
    for partition in range(3):
        mine = [message for message in messages if message.partition() == partition]
        assert [message.value() for message in mine] == [str(number).encode() for number in range(partition, 300, 3)]
        assert [message.offset() for message in mine] == list(range(100))


def test_a_producers_time_is_kept_under_create_time(any_cluster: Cluster, new_topic: Any) -> None:
    topic = new_topic(message_timestamp_type="CreateTime")
    producer, before_ms = any_cluster.producer(), int(time.time() * 1000)
    producer.produce(topic, b"given", timestamp=before_ms - 5_000)
    producer.produce(topic, b"now")
    producer.flush(30)
    given, now = (message.timestamp() for message in all_of(any_cluster, topic, 2))
    assert given == (TIMESTAMP_CREATE_TIME, before_ms - 5_000)
    assert now[0] == TIMESTAMP_CREATE_TIME
    assert before_ms <= now[1] <= time.time() * 1000


def test_the_brokers_time_replaces_the_producers_under_log_append_time(any_cluster: Cluster, new_topic: Any) -> None:
    topic, before_ms = new_topic(message_timestamp_type="LogAppendTime"), int(time.time() * 1000)
    producer = any_cluster.producer()
    producer.produce(topic, b"v", timestamp=1)
    producer.flush(30)
    kind, time_ms = all_of(any_cluster, topic, 1)[0].timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert before_ms <= time_ms <= time.time() * 1000


def test_a_time_too_far_from_the_brokers_is_refused(any_cluster: Cluster, new_topic: Any) -> None:
    topic = new_topic(message_timestamp_before_max_ms="60000", message_timestamp_after_max_ms="60000")
    producer, now_ms, reports = any_cluster.producer(**{"linger.ms": 0}), int(time.time() * 1000), []
    for offset_ms in (-120_000, 120_000, -30_000):
        producer.produce(
            topic,
            b"v",
            timestamp=now_ms + offset_ms,
            on_delivery=lambda error, _: reports.append(error and error.name()),
        )
        producer.flush(30)
    assert reports == ["INVALID_TIMESTAMP", "INVALID_TIMESTAMP", None]


@pytest.mark.parametrize(("key", "hashed"), MURMUR2.items())
def test_a_key_has_the_partition_that_java_gives_it(
    any_cluster: Cluster, new_topic: Any, key: bytes, hashed: int
) -> None:
    topic, places = new_topic(partitions=7), []
    producer = any_cluster.producer()
    producer.produce(topic, b"v", key, on_delivery=lambda _, message: places.append(message.partition()))
    producer.flush(30)
    assert places == [(hashed & 0x7FFFFFFF) % 7]


def test_records_without_a_key_go_to_any_partition_and_those_with_an_empty_key_to_one(
    any_cluster: Cluster, new_topic: Any
) -> None:
    topic, places = new_topic(partitions=3), {None: set[int](), b"": set[int]()}
    producer = any_cluster.producer(**{"sticky.partitioning.linger.ms": 0})
    for key, seen in places.items():
        for _ in range(100):
            producer.produce(topic, b"v", key, on_delivery=lambda _, message, seen=seen: seen.add(message.partition()))
    producer.flush(30)
    assert places[None] == {0, 1, 2}
    assert len(places[b""]) == 1


def test_delivery_reports_come_from_poll_and_flush_alone(any_cluster: Cluster, topic: str) -> None:
    producer, reports = any_cluster.producer(), []

    def delivered(error: object, message: Any) -> None:
        reports.append((error, message.topic(), message.partition(), message.offset(), message.key(), message.value()))

    producer.produce(topic, b"first", b"k", on_delivery=delivered)
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        read(consumer, 1)
    assert reports == []
    assert len(producer) > 0
    wait_until(lambda: producer.poll(0.1), "the report")
    assert reports == [(None, topic, 0, 0, b"k", b"first")]
    producer.produce(topic, b"second", callback=delivered)
    assert producer.flush(30) == 0
    assert reports[1:] == [(None, topic, 0, 1, None, b"second")]
    assert len(producer) == 0


def test_an_exception_of_a_delivery_callback_comes_out_of_flush(any_cluster: Cluster, topic: str) -> None:
    def complain(_error: object, _message: object) -> None:
        raise LookupError("complaint")

    producer = any_cluster.producer()
    producer.produce(topic, b"v", on_delivery=complain)
    with pytest.raises(LookupError, match="complaint"):
        producer.flush(30)


def test_a_record_for_a_topic_that_is_not_there_is_not_delivered(any_cluster: Cluster, topic: str) -> None:
    producer = any_cluster.producer(**{"topic.metadata.propagation.max.ms": 200, "message.timeout.ms": 5_000})
    reports = []
    try:
        producer.produce(f"{topic}.missing", b"v", on_delivery=lambda error, _: reports.append(error.name()))
        assert producer.flush(30) == 0
    except KafkaException as refused:
        reports.append(refused.args[0].name())
    assert reports == ["UNKNOWN_TOPIC_OR_PART"]


def test_a_record_for_a_partition_that_is_not_there_is_not_delivered(any_cluster: Cluster, topic: str) -> None:
    producer, reports = any_cluster.producer(**{"message.timeout.ms": 5_000}), []
    producer.produce(topic, b"v", partition=1, on_delivery=lambda error, _: reports.append(error.name()))
    producer.flush(30)
    assert reports == ["_UNKNOWN_PARTITION"]


def test_what_is_purged_is_reported_and_never_written(any_cluster: Cluster, topic: str) -> None:
    producer, reports = any_cluster.producer(**{"linger.ms": 60_000}), []
    producer.produce(topic, b"v", on_delivery=lambda error, _: reports.append(error.name()))
    producer.purge()
    assert reports == []
    producer.flush(30)
    assert reports == ["_PURGE_QUEUE"]
    assert any_cluster.admin().offsets([(topic, 0)], "latest")[topic, 0].offset == 0


def test_a_full_queue_takes_no_more_until_it_is_served(any_cluster: Cluster, topic: str) -> None:
    producer = any_cluster.producer(**{"queue.buffering.max.messages": 2})
    producer.produce(topic, b"1")
    producer.produce(topic, b"2")
    with pytest.raises(BufferError, match="Queue full"):
        producer.produce(topic, b"3")
    producer.flush(30)
    producer.produce(topic, b"3")
    producer.flush(30)
    assert [message.value() for message in all_of(any_cluster, topic, 3)] == [b"1", b"2", b"3"]


def test_a_record_that_is_too_large_is_refused_at_once(any_cluster: Cluster, topic: str) -> None:
    assert raised(lambda: any_cluster.producer().produce(topic, b"x" * 1_100_000)).name() == "MSG_SIZE_TOO_LARGE"
