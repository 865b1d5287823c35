"""The product's `Admin` and `Survey`, and what the in-memory broker answers them."""

from typing import Any

import pytest

from pipelines.broker import Cluster, NewTopic, Setting, Source, TopicPartition
from pipelines.trouble import Exit, Trouble
from tests.support.kafka_clients import transactional
from tests.support.memory_kafka.topics import INHERITED


def test_a_cluster_answers(any_cluster: Cluster) -> None:
    any_cluster.require()
    assert any_cluster.admin().broker_ids() == (1,)


def test_a_topic_that_exists_is_left_as_it_is(any_cluster: Cluster, new_topic: Any) -> None:
    topic = new_topic(partitions=2, retention_ms="5000")
    before = any_cluster.admin().topics([topic])
    assert any_cluster.admin().create([NewTopic(topic, 3, 1, {"retention.ms": "1"})]) == ()
    assert any_cluster.admin().topics([topic]) == before
    assert any_cluster.admin().topic_configs([topic])[topic]["retention.ms"] == "5000"


def test_topics_are_told_with_their_partitions_and_ids(any_cluster: Cluster, new_topic: Any) -> None:
    one, three = new_topic(), new_topic(partitions=3)
    found = any_cluster.admin().topics([one, three, f"{one}.missing"])
    assert found.keys() == {one, three}
    assert [(found[name].partitions, found[name].replication) for name in (one, three)] == [(1, 1), (3, 1)]
    assert [len(found[name].topic_id) for name in (one, three)] == [16, 16]
    assert found[one].topic_id != found[three].topic_id
    assert [(place.partition, place.leader, place.replicas, place.in_sync) for place in found[three].places] == [
        (number, 1, (1,), (1,)) for number in range(3)
    ]
    assert {one, three} <= any_cluster.admin().topics().keys()


def test_a_topics_settings_are_its_own_or_inherited(any_cluster: Cluster, new_topic: Any) -> None:
    topic = new_topic(retention_ms="5000", message_timestamp_type="LogAppendTime")
    settings = any_cluster.admin().topic_settings([topic])[topic]
    assert settings["retention.ms"] == Setting("5000", Source.TOPIC)
    assert settings["message.timestamp.type"] == Setting("LogAppendTime", Source.TOPIC)
    assert settings["segment.ms"].source is not Source.TOPIC


@pytest.mark.parametrize("name", INHERITED)
def test_a_topic_inherits_kafkas_defaults(any_cluster: Cluster, topic: str, name: str) -> None:
    assert any_cluster.admin().topic_settings([topic])[topic][name].value == INHERITED[name][1]


def test_settings_of_a_topic_that_is_not_there_are_trouble(any_cluster: Cluster, topic: str) -> None:
    with pytest.raises(Trouble, match=r"cannot describe the settings .*\(UNKNOWN_TOPIC_OR_PART\)") as trouble:
        any_cluster.admin(timeout_s=0.1).topic_settings([f"{topic}.missing"])
    assert trouble.value.exit_code == Exit.UNAVAILABLE


def test_offsets_of_a_topic_that_is_not_there_are_trouble(any_cluster: Cluster, topic: str) -> None:
    with pytest.raises(Trouble, match="cannot list the offsets"):
        any_cluster.admin(timeout_s=0.1).offsets([(f"{topic}.missing", 0)], "latest")


def test_offsets_are_told_of_both_ends_and_by_time(any_cluster: Cluster, topic: str, admin_client: Any) -> None:
    producer, admin, partition = any_cluster.producer(), any_cluster.admin(), (topic, 0)
    times_ms = [1_700_000_000_000 + 1_000 * number for number in range(5)]
    for time_ms in times_ms:
        producer.produce(topic, b"v", timestamp=time_ms)
    producer.flush(30)
    for future in admin_client.delete_records([TopicPartition(topic, 0, 2)]).values():
        future.result(30)
    found = [
        admin.offsets([partition], at)[partition] for at in ("earliest", "latest", 1, times_ms[3], times_ms[4] + 1)
    ]
    assert [(each.offset, each.timestamp_ms) for each in found] == [
        (2, None),
        (5, None),
        (2, times_ms[2]),
        (3, times_ms[3]),
        (-1, None),
    ]


def test_a_time_finds_aborted_records(any_cluster: Cluster, topic: str) -> None:
    producer, partition = transactional(any_cluster, topic), (topic, 0)
    producer.begin_transaction()
    producer.produce(topic, b"aborted", timestamp=1_700_000_000_000)
    producer.flush(30)
    producer.abort_transaction(30)
    assert any_cluster.admin().offsets([partition], 1)[partition].offset == 0


def test_a_survey_knows_whether_a_topic_exists(any_cluster: Cluster, topic: str) -> None:
    assert any_cluster.survey().exists(topic)
    assert not any_cluster.survey().exists(f"{topic}.missing")
    assert any_cluster.survey().readers() == ()
