import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from pipelines.broker import AdminClient, Cluster, EmbeddedKafka, NewTopic
from pipelines.contract.model import HOUR_MS, Contract
from pipelines.retention import BrokerTimes
from pipelines.topics.apply import apply
from pipelines.topics.live import breaches, look
from pipelines.topics.promise import promises, settings

Alter = Callable[[str, Mapping[str, str]], None]


@pytest.fixture
def alter(cluster: Cluster) -> Alter:
    """Changes a topic's settings behind the project's back."""
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    client, admin = AdminClient({"bootstrap.servers": cluster.bootstrap}), cluster.admin()

    def alter(topic: str, changed: Mapping[str, str]) -> None:
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in changed.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for future in client.incremental_alter_configs([resource]).values():
            future.result(30)
        # The controller has it; the broker that answers learns of it a moment later.
        deadline = time.monotonic() + 30
        while not changed.items() <= admin.topic_configs([topic])[topic].items():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    return alter


def names(contract: Contract) -> set[str]:
    return {promise.topic for promise in promises(contract)}


def test_apply_creates_every_topic_with_the_computed_settings(cluster: Cluster, contract: Contract) -> None:
    admin = cluster.admin()
    applied = apply(contract, admin)
    assert applied.is_clean
    assert {topic.name for topic in applied.created} == names(contract)
    topics, live = admin.topics(names(contract)), admin.topic_configs(names(contract))
    for promise in promises(contract):
        computed = settings(promise, BrokerTimes(), 1)
        assert isinstance(computed, dict)
        assert {name: live[promise.topic][name] for name in computed} == computed
        assert topics[promise.topic].partitions == promise.partitions


def test_applying_again_does_nothing(cluster: Cluster, contract: Contract) -> None:
    apply(contract, cluster.admin())
    before = cluster.admin().topics(names(contract))
    again = apply(contract, cluster.admin())
    assert again.created == ()
    assert again.is_clean
    assert cluster.admin().topics(names(contract)) == before


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(cluster: Cluster, contract: Contract) -> None:
    planned = apply(contract, cluster.admin(), dry_run=True)
    assert {topic.name for topic in planned.created} == names(contract)
    assert cluster.admin().topics(names(contract)) == {}
    assert apply(contract, cluster.admin()).created == planned.created


def test_apply_makes_what_is_missing_and_leaves_what_is_there(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    raw, missing = next(iter(contract.raw_topics)), next(iter(contract.topics))
    admin = cluster.admin()
    admin.create([NewTopic(raw, 2, 1)])
    alter(raw, {"message.timestamp.type": "LogAppendTime"})
    applied = apply(contract, admin)
    assert missing in {topic.name for topic in applied.created}
    assert raw not in {topic.name for topic in applied.created}
    assert raw in {breach.topic for breach in applied.breaches}
    assert admin.topic_configs([raw])[raw]["retention.ms"] == "604800000"


@pytest.mark.parametrize(
    ("kind", "changed", "code"),
    [
        ("raw", {"message.timestamp.type": "CreateTime"}, "clock"),
        ("minimized", {"message.timestamp.type": "LogAppendTime"}, "clock"),
        ("raw", {"retention.ms": str(24 * HOUR_MS)}, "retention"),
        ("minimized", {"retention.ms": "-1"}, "retention"),
        ("minimized", {"segment.ms": str(24 * HOUR_MS)}, "retention"),
        ("minimized", {"file.delete.delay.ms": str(24 * HOUR_MS)}, "retention"),
        ("raw", {"cleanup.policy": "compact"}, "cleanup"),
        ("minimized", {"cleanup.policy": "compact,delete"}, "cleanup"),
    ],
)
def test_a_live_setting_that_breaks_the_promise_is_a_breach(
    cluster: Cluster, contract: Contract, alter: Alter, kind: str, changed: dict[str, str], code: str
) -> None:
    apply(contract, cluster.admin())
    assert breaches(contract, cluster.admin()) == []
    topic = next(iter(contract.raw_topics if kind == "raw" else contract.topics))
    alter(topic, changed)
    found = breaches(contract, cluster.admin())
    assert [(breach.topic, breach.code) for breach in found] == [(topic, code)]
    applied = apply(contract, cluster.admin())
    assert applied.breaches == tuple(found)
    assert not applied.is_clean
    assert cluster.admin().topic_configs([topic])[topic] | changed == cluster.admin().topic_configs([topic])[topic]


def test_a_shorter_retention_breaks_nothing_and_is_said_all_the_same(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    apply(contract, cluster.admin())
    topic = next(iter(contract.topics))
    alter(topic, {"retention.ms": "60000"})
    assert breaches(contract, cluster.admin()) == []
    applied = apply(contract, cluster.admin())
    assert [(each.topic, each.setting, each.live) for each in applied.differences] == [(topic, "retention.ms", "60000")]
    assert not applied.is_clean


def test_missing_topics_and_other_partition_counts_are_breaches(cluster: Cluster, contract: Contract) -> None:
    assert {(breach.topic, breach.code) for breach in breaches(contract, cluster.admin())} == {
        (name, "missing") for name in names(contract)
    }
    apply(contract, cluster.admin())
    more = {name: replace(raw, partitions=raw.partitions + 1) for name, raw in contract.raw_topics.items()}
    found = breaches(replace(contract, raw_topics=more), cluster.admin())
    assert [(breach.topic, breach.code) for breach in found] == [(next(iter(more)), "partitions")]


def test_a_ttl_that_these_brokers_cannot_keep_is_not_promised_to_kafka(cluster: Cluster, contract: Contract) -> None:
    hasty = {name: replace(topic, ttl_ms=topic.late_ms) for name, topic in contract.topics.items()}
    applied = apply(replace(contract, topics=hasty), cluster.admin())
    assert [(breach.topic, breach.code) for breach in applied.breaches] == [(next(iter(hasty)), "ttl-too-short")]
    assert next(iter(hasty)) not in cluster.admin().topics()


def test_the_brokers_own_delays_are_asked_for_and_the_one_they_hide_is_a_setting(
    cluster: Cluster, contract: Contract
) -> None:
    assert look(contract, cluster.admin(), initial_delay_ms=7).times == BrokerTimes(300_000, 7, 60_000)


def test_three_brokers_get_three_replicas(kafka3: EmbeddedKafka, make_contract: Callable[[], Contract]) -> None:
    contract, admin = make_contract(), kafka3.cluster.admin(timeout_s=30)
    assert apply(contract, admin).is_clean
    assert {info.replication for info in admin.topics(names(contract)).values()} == {3}
    assert {configs["min.insync.replicas"] for configs in admin.topic_configs(names(contract)).values()} == {"2"}
    assert apply(contract, admin).created == ()
