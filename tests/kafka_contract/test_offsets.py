"""Offsets that groups commit: within a transaction, outside of one, and in whose name."""

import threading
import time
from typing import Any

import pytest

from pipelines.broker import OFFSET_INVALID, Cluster, TopicPartition
from tests.support.kafka_clients import flags, raised, transactional, values, wait_until


def member(cluster: Cluster, topic: str, **settings: Any) -> Any:
    """A consumer that is the only member of the group with the topic's name, and has its assignment."""
    consumer = cluster.consumer(**{"group.id": topic, "auto.offset.reset": "earliest", **settings})
    consumer.subscribe([topic])
    wait_until(lambda: consumer.poll(0.05) is None and consumer.assignment(), "the assignment")
    return consumer


def committed(cluster: Cluster, topic: str, isolation: str = "read_committed") -> tuple[int, str | None]:
    with cluster.consumer(**{"group.id": topic, "isolation.level": isolation}) as reader:
        found = reader.committed([TopicPartition(topic, 0)], timeout=30)[0]
    assert found.error is None
    return found.offset, found.metadata


def send(producer: Any, topic: str, offset: int, metadata: object, text: str = "") -> None:
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset, text)], metadata, 30)


def test_nothing_is_committed_at_first(any_cluster: Cluster, topic: str) -> None:
    assert committed(any_cluster, topic) == (OFFSET_INVALID, None)
    assert any_cluster.admin().committed(topic, [(topic, 0)]) == {}


def test_offsets_in_a_transaction_are_committed_with_it_and_dropped_with_it(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic) as consumer:
        for offset, end in ((3, producer.commit_transaction), (7, producer.abort_transaction)):
            producer.begin_transaction()
            send(producer, topic, offset, consumer.consumer_group_metadata(), f"text {offset}")
            assert committed(any_cluster, topic, "read_uncommitted")[0] == (OFFSET_INVALID if offset == 3 else 3)
            end(30)
    assert committed(any_cluster, topic) == (3, "text 3")
    found = any_cluster.admin().committed(topic, [(topic, 0)])[topic, 0]
    assert (found.offset, found.metadata) == (3, "text 3")


def test_offsets_that_are_sent_twice_count_as_they_were_sent_last(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic) as consumer:
        producer.begin_transaction()
        send(producer, topic, 5, consumer.consumer_group_metadata())
        send(producer, topic, 4, consumer.consumer_group_metadata())
        producer.commit_transaction(30)
    assert committed(any_cluster, topic) == (4, "")


def test_a_stable_fetch_waits_for_the_open_transaction(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic) as consumer:
        producer.begin_transaction()
        send(producer, topic, 3, consumer.consumer_group_metadata())
        with any_cluster.consumer(**{"group.id": topic}) as reader:
            started = time.monotonic()
            error = raised(lambda: reader.committed([TopicPartition(topic, 0)], timeout=0.5))
            assert flags(error) == ("_TIMED_OUT", set())
            assert time.monotonic() - started >= 0.5
            threading.Timer(0.2, producer.commit_transaction, [30]).start()
            assert reader.committed([TopicPartition(topic, 0)], timeout=30)[0].offset == 3


def test_a_new_producer_of_the_id_drops_the_offsets_of_the_open_transaction(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic) as consumer:
        producer.begin_transaction()
        send(producer, topic, 3, consumer.consumer_group_metadata())
        transactional(any_cluster, topic)
        assert committed(any_cluster, topic) == (OFFSET_INVALID, None)


def test_an_assigned_partition_is_read_from_its_committed_offset(any_cluster: Cluster, topic: str) -> None:
    plain = any_cluster.producer()
    for number in range(3):
        plain.produce(topic, str(number).encode())
    plain.flush(30)
    with member(any_cluster, topic) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 2, "here")], asynchronous=False)
    assert committed(any_cluster, topic) == (2, "here")
    with any_cluster.consumer(**{"group.id": topic}) as consumer:
        consumer.subscribe([topic])
        assert values(consumer, 1) == [b"2"]


def rebalanced_since(any_cluster: Cluster, topic: str) -> tuple[Any, object]:
    """A member, and its metadata from before another member came and went."""
    first = member(any_cluster, topic)
    before = first.consumer_group_metadata()
    second = any_cluster.consumer(**{"group.id": topic, "auto.offset.reset": "earliest"})
    second.subscribe([topic])
    is_over = threading.Event()

    def is_second_in() -> bool:
        first.poll(0.05)
        second.poll(0.05)
        return second.memberid() is not None and first.consumer_group_metadata() != before

    wait_until(is_second_in, "the second member")
    closing = threading.Thread(target=lambda: (second.close(), is_over.set()))
    closing.start()
    wait_until(lambda: first.poll(0.05) is None and is_over.is_set() and first.assignment(), "the partition again")
    closing.join(30)
    return first, before


def test_offsets_in_the_name_of_an_older_generation_cost_the_transaction(any_cluster: Cluster, topic: str) -> None:
    consumer, before = rebalanced_since(any_cluster, topic)
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    assert flags(raised(lambda: send(producer, topic, 3, before))) == ("ILLEGAL_GENERATION", {"abort"})
    assert flags(raised(lambda: producer.commit_transaction(30))) == ("ILLEGAL_GENERATION", {"abort"})
    producer.abort_transaction(30)
    producer.begin_transaction()
    send(producer, topic, 4, consumer.consumer_group_metadata())
    producer.commit_transaction(30)
    consumer.close()
    assert committed(any_cluster, topic) == (4, "")


def test_offsets_in_the_name_of_a_member_that_left_cost_the_transaction(any_cluster: Cluster, topic: str) -> None:
    gone = member(any_cluster, topic)
    metadata = gone.consumer_group_metadata()
    gone.close()
    producer = transactional(any_cluster, topic)
    producer.begin_transaction()
    assert flags(raised(lambda: send(producer, topic, 3, metadata))) == ("UNKNOWN_MEMBER_ID", {"abort"})
    producer.abort_transaction(30)


def test_offsets_in_the_name_of_a_static_member_that_was_replaced_cost_the_transaction(
    any_cluster: Cluster, topic: str
) -> None:
    static = {"group.instance.id": "the-one", "session.timeout.ms": 6_000}
    replaced = member(any_cluster, topic, **static)
    metadata = replaced.consumer_group_metadata()
    replaced.close()
    with member(any_cluster, topic, **static):
        producer = transactional(any_cluster, topic)
        producer.begin_transaction()
        assert flags(raised(lambda: send(producer, topic, 3, metadata))) == ("FENCED_INSTANCE_ID", {"abort"})
        producer.abort_transaction(30)


def test_offsets_in_nobodys_name_are_not_checked(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic), any_cluster.consumer(**{"group.id": topic}) as nobody:
        producer.begin_transaction()
        send(producer, topic, 9, nobody.consumer_group_metadata())
        producer.commit_transaction(30)
    assert committed(any_cluster, topic) == (9, "")


def test_nobody_commits_outside_a_transaction_while_there_are_members(any_cluster: Cluster, topic: str) -> None:
    with any_cluster.consumer(**{"group.id": topic}) as nobody:
        nobody.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
        with member(any_cluster, topic):
            refused = raised(lambda: nobody.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False))
            assert refused.name() == "UNKNOWN_MEMBER_ID"
    assert committed(any_cluster, topic) == (1, None)


@pytest.mark.parametrize("text", ["", "x" * 4_095])
def test_the_text_that_goes_with_an_offset_is_kept_as_it_is(any_cluster: Cluster, topic: str, text: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic) as consumer:
        producer.begin_transaction()
        send(producer, topic, 1, consumer.consumer_group_metadata(), text)
        producer.commit_transaction(30)
    assert committed(any_cluster, topic) == (1, text)


def test_a_text_that_is_too_long_costs_the_transaction(any_cluster: Cluster, topic: str) -> None:
    producer = transactional(any_cluster, topic)
    with member(any_cluster, topic) as consumer:
        producer.begin_transaction()
        error = raised(lambda: send(producer, topic, 1, consumer.consumer_group_metadata(), "x" * 4_096))
        assert flags(error) == ("OFFSET_METADATA_TOO_LARGE", {"abort"})
        producer.abort_transaction(30)
    assert committed(any_cluster, topic) == (OFFSET_INVALID, None)
