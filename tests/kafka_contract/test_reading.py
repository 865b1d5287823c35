"""Reading without a group: positions, ends, resets, pauses."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.broker import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, Cluster, KafkaError, TopicPartition
from tests.support.kafka_clients import (
    moment_s,
    next_error,
    next_message,
    raised,
    read,
    stays_silent,
    transactional,
    values,
)


@pytest.fixture
def filled(any_cluster: Cluster, topic: str) -> str:
    """A topic with the values 0 to 9 at the offsets 0 to 9."""
    producer = any_cluster.producer()
    for number in range(10):
        producer.produce(topic, str(number).encode(), timestamp=int(time.time() * 1000) - 1_000 * (10 - number))
    assert producer.flush(30) == 0
    return topic


@pytest.fixture
def delete_before(admin_client: Any) -> Callable[[str, int], None]:
    """Moves the log's start of a topic's first partition."""

    def delete(topic: str, offset: int) -> None:
        for future in admin_client.delete_records([TopicPartition(topic, 0, offset)]).values():
            future.result(30)

    return delete


def is_end(message: Any) -> bool:
    return message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF


def test_reading_begins_where_it_is_told_to(any_cluster: Cluster, filled: str) -> None:
    for offset, first in ((4, b"4"), (OFFSET_BEGINNING, b"0")):
        with any_cluster.consumer() as consumer:
            consumer.assign([TopicPartition(filled, 0, offset)])
            assert values(consumer, 1) == [first]


def test_from_the_end_on_only_new_records_come(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer(**{"enable.partition.eof": True}) as consumer:
        consumer.assign([TopicPartition(filled, 0, OFFSET_END)])
        assert is_end(next_message(consumer))
        producer = any_cluster.producer()
        producer.produce(filled, b"new")
        producer.flush(30)
        assert values(consumer, 1) == [b"new"]


def test_a_seek_goes_back_and_forth(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, 0)])
        assert values(consumer, 3) == [b"0", b"1", b"2"]
        consumer.seek(TopicPartition(filled, 0, 1))
        assert values(consumer, 2) == [b"1", b"2"]
        consumer.seek(TopicPartition(filled, 0, 8))
        assert values(consumer, 2) == [b"8", b"9"]


def test_a_partition_that_is_not_assigned_cannot_be_sought(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        assert raised(lambda: consumer.seek(TopicPartition(filled, 0, 1))).name() == "_UNKNOWN_PARTITION"
        consumer.assign([TopicPartition(filled, 0, 0)])
        assert raised(lambda: consumer.seek(TopicPartition(filled, 1, 1))).name() == "_STATE"


def test_a_paused_partition_is_silent_and_goes_on_where_it_was(any_cluster: Cluster, new_topic: Any) -> None:
    topic, producer = new_topic(partitions=2), any_cluster.producer()
    for number in range(6):
        producer.produce(topic, str(number).encode(), partition=number % 2)
    producer.flush(30)
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(topic, 0, 0), TopicPartition(topic, 1, 1)])
        consumer.pause([TopicPartition(topic, 0)])
        assert values(consumer, 2) == [b"3", b"5"]
        assert stays_silent(consumer)
        consumer.resume([TopicPartition(topic, 0)])
        assert values(consumer, 3) == [b"0", b"2", b"4"]


def test_a_seek_of_a_paused_partition_counts_when_it_is_resumed(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, 0)])
        values(consumer, 2)
        consumer.pause([TopicPartition(filled, 0)])
        consumer.seek(TopicPartition(filled, 0, 7))
        assert stays_silent(consumer)
        consumer.resume([TopicPartition(filled, 0)])
        assert values(consumer, 1) == [b"7"]


def test_pausing_what_is_not_assigned_is_no_error(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        consumer.pause([TopicPartition(filled, 0)])
        consumer.resume([TopicPartition(filled, 0)])


def test_the_end_of_a_partition_is_told_once_until_there_is_more(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer(**{"enable.partition.eof": True}) as consumer:
        consumer.assign([TopicPartition(filled, 0, 8)])
        assert values(consumer, 2) == [b"8", b"9"]
        end = next_message(consumer)
        assert is_end(end)
        assert end.offset() == 10
        assert consumer.consume(1, moment_s(consumer)) == []
        producer = any_cluster.producer()
        producer.produce(filled, b"more")
        producer.flush(30)
        assert next_message(consumer).value() == b"more"
        assert next_message(consumer).offset() == 11


def test_the_end_lies_behind_the_marker_of_the_last_transaction(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(30)
    producer.abort_transaction(30)
    with any_cluster.consumer(**{"enable.partition.eof": True}) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        end = next_message(consumer)
        assert is_end(end)
        assert (end.topic(), end.partition(), end.offset()) == (topic, 0, 2)


def test_the_position_is_behind_the_last_record_given(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        asked = [TopicPartition(filled, 0)]
        consumer.assign([TopicPartition(filled, 0, 3)])
        assert consumer.position(asked)[0].offset == OFFSET_INVALID
        read(consumer, 2)
        assert consumer.position(asked)[0].offset == 5


@pytest.mark.parametrize("offset", [11, 1_000])
def test_an_offset_beyond_the_end_is_an_error(any_cluster: Cluster, filled: str, offset: int) -> None:
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, offset)])
        message = next_error(consumer)
        assert message.error().name() == "_AUTO_OFFSET_RESET"
        assert (message.topic(), message.partition()) == (filled, 0)
        assert consumer.poll(moment_s(consumer)) is None
        assert raised(lambda: consumer.seek(TopicPartition(filled, 0, 9))).name() == "_STATE"
        consumer.assign([TopicPartition(filled, 0, 9)])
        assert values(consumer, 1) == [b"9"]


def test_an_offset_before_the_start_is_an_error_and_earliest_passes_over_it(
    any_cluster: Cluster, filled: str, delete_before: Callable[[str, int], None]
) -> None:
    delete_before(filled, 6)
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, 2)])
        assert next_error(consumer).error().name() == "_AUTO_OFFSET_RESET"
    with any_cluster.consumer(**{"auto.offset.reset": "earliest"}) as consumer:
        consumer.assign([TopicPartition(filled, 0, 2)])
        assert values(consumer, 1) == [b"6"]


def test_a_group_without_a_committed_offset_is_an_error(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer(**{"group.id": filled}) as consumer:
        consumer.assign([TopicPartition(filled, 0)])
        assert next_error(consumer).error().name() == "_AUTO_OFFSET_RESET"


def test_a_reset_to_latest_begins_at_the_end(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer(**{"group.id": filled, "auto.offset.reset": "latest"}) as consumer:
        consumer.assign([TopicPartition(filled, 0)])
        assert stays_silent(consumer)
        producer = any_cluster.producer()
        producer.produce(filled, b"new")
        producer.flush(30)
        assert values(consumer, 1) == [b"new"]


def test_watermarks_are_asked_for_or_remembered(
    any_cluster: Cluster, filled: str, delete_before: Callable[[str, int], None]
) -> None:
    partition = TopicPartition(filled, 0)
    delete_before(filled, 3)
    with any_cluster.consumer() as consumer:
        assert consumer.get_watermark_offsets(partition, timeout=30, cached=False) == (3, 10)
        consumer.assign([TopicPartition(filled, 0, 5)])
        read(consumer, 1)
        assert consumer.get_watermark_offsets(partition, cached=True)[1] == 10
    with any_cluster.consumer() as consumer:
        assert consumer.get_watermark_offsets(partition, cached=True) == (OFFSET_INVALID, OFFSET_INVALID)


def test_what_an_open_transaction_does_to_the_watermarks(any_cluster: Cluster, filled: str) -> None:
    producer = transactional(any_cluster, filled)
    producer.begin_transaction()
    producer.produce(filled, b"open")
    producer.flush(30)
    partition = TopicPartition(filled, 0)
    with (
        any_cluster.consumer() as committed,
        any_cluster.consumer(**{"isolation.level": "read_uncommitted"}) as uncommitted,
    ):
        for consumer in (committed, uncommitted):
            consumer.assign([TopicPartition(filled, 0, 9)])
            read(consumer, 1)
            assert consumer.get_watermark_offsets(partition, cached=True)[1] == 11
        assert committed.get_watermark_offsets(partition, timeout=30) == (0, 10)
        assert uncommitted.get_watermark_offsets(partition, timeout=30) == (0, 11)
    producer.abort_transaction(30)


def test_watermarks_of_a_topic_that_is_not_there_are_an_error(any_cluster: Cluster, topic: str) -> None:
    with any_cluster.consumer() as consumer:
        missing = TopicPartition(f"{topic}.missing", 0)
        assert raised(lambda: consumer.get_watermark_offsets(missing, timeout=2)).name() in {
            "_UNKNOWN_PARTITION",
            "_UNKNOWN_TOPIC",
            "UNKNOWN_TOPIC_OR_PART",
        }


def test_offsets_are_found_by_time(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, 0)])
        third = read(consumer, 4)[3].timestamp()[1]
        asked = [TopicPartition(filled, 0, time_ms) for time_ms in (1, third, third + 1, third + 60_000)]
        found = [consumer.offsets_for_times([each], timeout=30)[0].offset for each in asked]
    assert found == [0, 3, 4, OFFSET_END]


def test_reading_waits_until_there_are_enough_or_the_time_is_over(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, 0)])
        assert consumer.poll().value() == b"0"
        started = time.monotonic()
        assert len(consumer.consume(9, 30)) == 9
        assert time.monotonic() - started < 10
        started = time.monotonic()
        assert consumer.consume(1, 0.3) == []
        assert consumer.poll(0) is None
        assert 0.3 <= time.monotonic() - started < 10
        with pytest.raises(ValueError, match="num_messages"):
            consumer.consume(-1, 0)


def test_the_assignment_is_what_was_assigned(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        assert consumer.assignment() == []
        consumer.assign([TopicPartition(filled, 0, 5)])
        assert [(each.topic, each.partition) for each in consumer.assignment()] == [(filled, 0)]
        consumer.unassign()
        assert consumer.assignment() == []
        assert stays_silent(consumer)


def test_a_closed_consumer_refuses_calls(any_cluster: Cluster) -> None:
    consumer = any_cluster.consumer()
    consumer.close()
    consumer.close()
    for call in (consumer.poll, consumer.memberid, consumer.assignment, lambda: consumer.consume(1, 0)):
        with pytest.raises(RuntimeError, match="Consumer closed"):
            call()


def test_a_consumer_that_is_in_no_group_has_no_member_id(any_cluster: Cluster, filled: str) -> None:
    with any_cluster.consumer() as consumer:
        consumer.assign([TopicPartition(filled, 0, 0)])
        read(consumer, 1)
        assert not consumer.memberid()
