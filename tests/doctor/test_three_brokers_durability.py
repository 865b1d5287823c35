"""What the promise of exactly once stands on, on three brokers: Kafka's own topics, made well and made badly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package has no __all__
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from pipelines.broker import AdminClient, Cluster, EmbeddedKafka
from pipelines.doctor import Observation, State
from pipelines.doctor.durability import look_at_durability
from tests.support.brokers import Brokers, Kind
from tests.support.waiting import CALL_S, until


@pytest.fixture
def weak(broker_pool: Brokers) -> Cluster:
    """Three brokers that would make Kafka's own topics with one replica, and have made none yet."""
    settings = {
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "min.insync.replicas": "1",
        "unclean.leader.election.enable": "true",
    }
    return broker_pool.private(Kind("weak", 3, settings)).cluster


def look(cluster: Cluster, timeout_s: float = 10) -> Observation:
    return look_at_durability(cluster.admin(timeout_s=timeout_s), cluster.survey(timeout_s=timeout_s))


def made(cluster: Cluster, folder: Path) -> None:
    """Have Kafka make its own topics."""
    producer = cluster.producer(**{"transactional.id": f"doctor.{folder.name}"})
    producer.init_transactions(CALL_S)
    cluster.admin(timeout_s=CALL_S).committed("doctor", [("nothing", 0)])
    own = {"__consumer_offsets", "__transaction_state"}
    until(lambda: cluster.admin(timeout_s=CALL_S).topics(own).keys() == own, "Kafka's own topics")


@contextmanager
def changed(cluster: Cluster, topic: str, settings: Mapping[str, str]) -> Iterator[None]:
    """The topic with these settings."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})

    def alter(how: AlterConfigOpType) -> None:
        entries = [ConfigEntry(name, value, incremental_operation=how) for name, value in settings.items()]
        asked = ConfigResource("topic", topic, incremental_configs=entries)
        client.incremental_alter_configs([asked])[asked].result(CALL_S)

    alter(AlterConfigOpType.SET)
    try:
        admin = cluster.admin(timeout_s=CALL_S)
        until(lambda: settings.items() <= admin.topic_configs([topic])[topic].items(), "the change")
        yield
    finally:
        alter(AlterConfigOpType.DELETE)


def test_three_brokers_with_three_replicas_are_ok_and_each_weaker_setting_is_named(
    kafka3: EmbeddedKafka, tmp_path: Path
) -> None:
    made(kafka3.cluster, tmp_path)
    assert look(kafka3.cluster).state is State.OK
    weaker = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
    with changed(kafka3.cluster, "__transaction_state", weaker):
        seen = look(kafka3.cluster)
    assert (seen.state, seen.found) == (
        State.WARN,
        "__transaction_state: unclean.leader.election.enable=true; __transaction_state: min.insync.replicas=1",
    )
    assert "docs/exactly-once.md" in (seen.remedy or "")


def test_topics_that_are_not_made_yet_are_judged_by_what_they_would_be_made_with(weak: Cluster, tmp_path: Path) -> None:
    assert weak.admin(timeout_s=CALL_S).topics(["__consumer_offsets", "__transaction_state"]) == {}
    before = look(weak)
    made(weak, tmp_path)
    after = look(weak)
    wanted = [
        f"{topic}: {what}"
        for topic in ("__consumer_offsets", "__transaction_state")
        for what in ("replicas=1", "min.insync.replicas=1")
    ]
    everywhere = "brokers: unclean.leader.election.enable=true"
    assert before.found == "; ".join([*wanted, everywhere])
    assert set(wanted) | {everywhere} < set(after.found.split("; "))
