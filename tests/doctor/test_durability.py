"""What the promise of exactly once stands on in the cluster, and each setting that takes it away."""

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
from pipelines.doctor import State
from pipelines.doctor.durability import look_at_durability
from tests.conftest import guarded
from tests.faults.flow import until


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three brokers that would make Kafka's own topics with one replica, and have made none yet."""
    settings = {
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "min.insync.replicas": "1",
        "unclean.leader.election.enable": "true",
    }
    kafka = EmbeddedKafka(tmp_path_factory.mktemp("weak"), 3, settings)
    with guarded(kafka):
        kafka.start()
        yield kafka.cluster


def made(cluster: Cluster, folder: Path) -> None:
    """Have Kafka make its own topics."""
    producer = cluster.producer(**{"transactional.id": f"doctor.{folder.name}"})
    producer.init_transactions(60)
    cluster.admin(timeout_s=60).committed("doctor", [("nothing", 0)])
    own = {"__consumer_offsets", "__transaction_state"}
    until(lambda: cluster.admin().topics(own).keys() == own, "Kafka's own topics")


@contextmanager
def changed(cluster: Cluster, topic: str, settings: Mapping[str, str]) -> Iterator[None]:
    """The topic with these settings."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})

    def alter(how: AlterConfigOpType) -> None:
        entries = [ConfigEntry(name, value, incremental_operation=how) for name, value in settings.items()]
        asked = ConfigResource("topic", topic, incremental_configs=entries)
        client.incremental_alter_configs([asked])[asked].result(30)

    alter(AlterConfigOpType.SET)
    try:
        admin = cluster.admin()
        until(lambda: settings.items() <= admin.topic_configs([topic])[topic].items(), "the change")
        yield
    finally:
        alter(AlterConfigOpType.DELETE)


def test_three_brokers_with_three_replicas_are_ok_and_each_weaker_setting_is_named(
    kafka3: EmbeddedKafka, tmp_path: Path
) -> None:
    made(kafka3.cluster, tmp_path)
    admin = kafka3.cluster.admin()
    assert look_at_durability(admin).state is State.OK
    weaker = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
    with changed(kafka3.cluster, "__transaction_state", weaker):
        seen = look_at_durability(admin)
    assert (seen.state, seen.found) == (
        State.WARN,
        "__transaction_state: unclean.leader.election.enable=true; __transaction_state: min.insync.replicas=1",
    )
    assert "docs/exactly-once.md" in (seen.remedy or "")


def test_topics_that_are_not_made_yet_are_judged_by_what_they_would_be_made_with(weak: Cluster, tmp_path: Path) -> None:
    assert weak.admin().topics(["__consumer_offsets", "__transaction_state"]) == {}
    before = look_at_durability(weak.admin())
    made(weak, tmp_path)
    after = look_at_durability(weak.admin())
    wanted = [
        f"{topic}: {what}"
        for topic in ("__consumer_offsets", "__transaction_state")
        for what in ("replicas=1", "min.insync.replicas=1")
    ]
    everywhere = "brokers 1, 2, 3: unclean.leader.election.enable=true"
    assert before.found == "; ".join([*wanted, everywhere])
    assert set(wanted) | {everywhere} < set(after.found.split("; "))


def test_a_managed_cluster_that_hides_its_settings_is_not_called_durable() -> None:
    class Hiding:
        def broker_configs(self) -> dict[int, dict[str, str]]:
            return {1: {}, 2: {}, 3: {}}

        def topics(self, _names: object) -> dict[str, object]:
            return {}

        def topic_configs(self, _names: object) -> dict[str, dict[str, str]]:
            return {}

    seen = look_at_durability(Hiding())  # type: ignore[arg-type]
    assert seen.state is State.WARN
    assert "__consumer_offsets: replicas not told; __consumer_offsets: min.insync.replicas not told" in seen.found


def test_one_broker_is_enough_for_a_trial_alone(kafka: EmbeddedKafka) -> None:
    seen = look_at_durability(kafka.cluster.admin())
    assert seen.state is State.WARN
    assert "one disk" in seen.found


def test_a_cluster_that_does_not_say_is_a_warning_with_the_way_out() -> None:
    seen = look_at_durability(Cluster("127.0.0.1:1").admin(timeout_s=1))
    assert (seen.state, bool(seen.remedy)) == (State.WARN, True)
    assert seen.found.startswith("cannot be seen: ")
