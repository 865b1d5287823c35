"""What the promise of exactly once stands on in the cluster, and each setting that takes it away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package has no __all__
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from pipelines.broker import AdminClient, Cluster, EmbeddedKafka
from pipelines.doctor import Observation, State
from pipelines.doctor.durability import look_at_durability
from pipelines.trouble import Trouble
from tests.support.kafka import guarded
from tests.support.waiting import until

_Told = TypeVar("_Told")


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


def look(cluster: Cluster, timeout_s: float = 10) -> Observation:
    return look_at_durability(cluster.admin(timeout_s=timeout_s), cluster.survey(timeout_s=timeout_s))


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
    assert weak.admin().topics(["__consumer_offsets", "__transaction_state"]) == {}
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


class Telling:
    """A cluster of three that shows no topic of Kafka's own: it tells what it is given, and refuses the rest."""

    def __init__(self, configs: Mapping[str, str] | None, *, exists: bool | None) -> None:
        self._configs = configs
        self._exists = exists

    def broker_ids(self) -> tuple[int, ...]:
        return 1, 2, 3

    def topics(self, _names: object) -> dict[str, object]:
        return {}

    def broker_configs(self) -> Mapping[int, Mapping[str, str]]:
        return dict.fromkeys(self.broker_ids(), self._or_refuse(self._configs))

    def exists(self, _topic: str) -> bool:
        return self._or_refuse(self._exists)

    def _or_refuse(self, answer: _Told | None) -> _Told:
        if answer is None:
            raise Trouble("this principal may not ask", hint="grant it")
        return answer


GOOD = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "min.insync.replicas": "2",
}


@pytest.mark.parametrize(
    ("configs", "exists", "found"),
    [
        (GOOD, False, "3 brokers; 3 replicas"),
        (GOOD, True, "__consumer_offsets: not told; __transaction_state: not told"),
        (GOOD, None, "__consumer_offsets: not told; __transaction_state: not told"),
        ({}, False, "__consumer_offsets: replicas not told; __consumer_offsets: min.insync.replicas not told"),
        (None, False, "__consumer_offsets: replicas not told"),
    ],
    ids=["not made yet", "hidden", "refused", "settings hidden", "settings refused"],
)
def test_what_is_hidden_or_refused_is_never_called_durable(
    configs: Mapping[str, str] | None, *, exists: bool | None, found: str
) -> None:
    telling = Telling(configs, exists=exists)
    seen = look_at_durability(telling, telling)  # type: ignore[arg-type]
    assert seen.found.startswith(found)
    assert seen.state is (State.OK if (configs, exists) == (GOOD, False) else State.WARN)


def test_one_broker_is_enough_for_a_trial_alone(kafka: EmbeddedKafka) -> None:
    seen = look(kafka.cluster)
    assert seen.state is State.WARN
    assert "one disk" in seen.found


def test_a_cluster_that_does_not_say_is_a_warning_with_the_way_out() -> None:
    seen = look(Cluster("127.0.0.1:1"), timeout_s=1)
    assert (seen.state, bool(seen.remedy)) == (State.WARN, True)
    assert seen.found.startswith("cannot be seen: ")
