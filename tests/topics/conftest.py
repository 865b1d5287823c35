"""A contract of topics alone, under names of its own, whose topics go away again; and changes behind our back."""

from collections.abc import Iterator, Mapping

import pytest

from pipelines.broker import AdminClient, Cluster
from pipelines.contract.model import DAY_MS, HOUR_MS, ChangesTopic, Contract, QuarantineTopic, RawTopic, Topic
from tests.support.kafka import delete_topics
from tests.support.names import unique
from tests.support.waiting import CALL_S, until
from tests.topics.contracts import BASIS, HERE, Alter, AlterBroker, MakeContract, names


@pytest.fixture
def make_contract() -> MakeContract:
    def make(*, raw_ttl_ms: int = DAY_MS, ttl_ms: int = 2 * DAY_MS, late_ms: int = DAY_MS) -> Contract:
        source = unique("topics")
        raw = RawTopic(f"raw.{source}.session", f"{source}.session", raw_ttl_ms, 2, (), HERE)
        minimized = Topic(f"audit.{source}", ttl_ms, late_ms, 3, ("audit-office",), BASIS, HERE)
        quarantine = QuarantineTopic(f"quarantine-{source}", 7 * DAY_MS, 1, (), HERE)
        changes = ChangesTopic(f"audit.changes-{source}")
        return Contract(
            {}, {}, {minimized.name: minimized}, {raw.name: raw}, quarantine, source.encode(), changes=changes
        )

    return make


@pytest.fixture
def contract(make_contract: MakeContract, cluster: Cluster) -> Iterator[Contract]:
    contract = make_contract(late_ms=6 * HOUR_MS)
    yield contract
    delete_topics(cluster, list(cluster.admin(timeout_s=CALL_S).topics(names(contract))))


@pytest.fixture
def alter(cluster: Cluster) -> Alter:
    """Changes a topic's settings behind the project's back; None takes one away."""
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    client, admin = AdminClient({"bootstrap.servers": cluster.bootstrap}), cluster.admin(timeout_s=CALL_S)

    def own(topic: str) -> dict[str, str]:
        return {
            name: setting.value
            for name, setting in admin.topic_settings([topic])[topic].items()
            if setting.source == "topic"
        }

    def alter(topic: str, changed: Mapping[str, str | None]) -> None:
        entries = [
            ConfigEntry(name, value or "", incremental_operation=AlterConfigOpType.SET)
            if value is not None
            else ConfigEntry(name, "", incremental_operation=AlterConfigOpType.DELETE)
            for name, value in changed.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for future in client.incremental_alter_configs([resource]).values():
            future.result(CALL_S)
        # The controller has it; the broker that answers learns of it a moment later.
        until(
            lambda: all(own(topic).get(name) == value for name, value in changed.items()),
            f"a broker that knows the settings of {topic}",
        )

    return alter


@pytest.fixture
def alter_broker(cluster: Cluster) -> Iterator[AlterBroker]:
    """Sets a dynamic setting of broker 1 of a private cluster, and takes it away after the test."""
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    client, admin, used = (
        AdminClient({"bootstrap.servers": cluster.bootstrap}),
        cluster.admin(timeout_s=CALL_S),
        set[str](),
    )

    def change(entry: ConfigEntry) -> None:
        resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
        for future in client.incremental_alter_configs([resource]).values():
            future.result(CALL_S)

    def alter(name: str, value: str) -> None:
        used.add(name)
        change(ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET))
        until(lambda: admin.broker_configs()[1][name] == value, f"a broker that knows its setting {name}")

    yield alter
    for name in used:
        change(ConfigEntry(name, "", incremental_operation=AlterConfigOpType.DELETE))
