"""What a group committed, while somebody's transaction is open on top of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipelines.broker import Cluster, Producer, TopicPartition
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import MakeTopic
from tests.support.waiting import CALL_S, until


@contextmanager
def sent_and_left_open(cluster: Cluster, topic: str, seconds: int) -> Iterator[Producer]:
    """Offset 3 is committed in the group that is named as the topic is; offset 7 is sent, and undecided for so long."""
    consumer = cluster.consumer(**{"group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])

    def assigned() -> bool:
        consumer.poll(0.1)
        return bool(consumer.assignment())

    try:
        until(assigned, "the assignment")
        consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
        limits = dict.fromkeys(("transaction.timeout.ms", "socket.timeout.ms"), seconds * 1000)
        producer = cluster.producer(**{"transactional.id": topic, **limits})
        producer.init_transactions(CALL_S)
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], consumer.consumer_group_metadata(), 30)
        yield producer
    finally:
        consumer.close()


def test_offsets_that_a_dead_worker_left_open_are_waited_for_longer_than_an_answer(
    cluster: Cluster, make_topic: MakeTopic
) -> None:
    topic = make_topic()
    with sent_and_left_open(cluster, topic, 8):
        found = cluster.admin(timeout_s=2).committed(topic, [(topic, 0)])
    assert found[topic, 0].offset == 3


def test_a_transaction_that_does_not_end_is_named_as_the_reason(cluster: Cluster, make_topic: MakeTopic) -> None:
    topic = make_topic()
    with sent_and_left_open(cluster, topic, 60) as producer:
        with pytest.raises(Trouble) as caught:
            cluster.admin(timeout_s=3, open_s=1).committed(topic, [(topic, 0)])
        producer.abort_transaction(CALL_S)
    assert caught.value.exit_code == Exit.UNAVAILABLE
    assert f"the offsets of the group {topic} at" in str(caught.value)
    assert "a transaction holds them open" in str(caught.value)
    assert "A transaction that hangs" in (caught.value.hint or "")


@pytest.mark.slow
def test_a_cluster_that_is_silent_is_not_called_an_open_transaction() -> None:
    with pytest.raises(Trouble) as caught:
        Cluster("127.0.0.1:1").admin(timeout_s=1).committed("nobody", [("nothing", 0)])
    assert caught.value.exit_code == Exit.UNAVAILABLE
    assert "a transaction" not in str(caught.value)
