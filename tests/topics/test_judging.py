"""Which live settings break a promise, and which setting is to blame."""

from dataclasses import replace

import pytest

from pipelines.broker import Offset, Place, Setting, Source, TopicInfo
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.topics.judging import PLAN, differences, harmless, judged
from pipelines.topics.planning import plan
from pipelines.topics.promise import promises
from pipelines.topics.state import CHECK_INTERVAL, OLDEST, USUAL, ClusterState
from pipelines.topics.telling import plan_lines
from pipelines.topics.verifying import Unproven, unproven
from tests.topics.clusters import applied, changed
from tests.topics.contracts import MakeContract, names

EMPTY = Offset(-1, None)


@pytest.fixture
def contract(make_contract: MakeContract) -> Contract:
    return make_contract(late_ms=6 * HOUR_MS)


@pytest.fixture
def kept(contract: Contract) -> ClusterState:
    """A cluster that a plan was applied to."""
    return applied(contract)


def test_topics_that_a_plan_was_applied_to_break_nothing(contract: Contract, kept: ClusterState) -> None:
    assert judged(contract, kept) == []


@pytest.mark.parametrize(
    ("kind", "settings", "code", "blamed"),
    [
        ("raw", {"message.timestamp.type": "CreateTime"}, "clock", "message.timestamp.type"),
        ("raw", {"message.timestamp.type": None}, "clock", "message.timestamp.type"),
        ("minimized", {"message.timestamp.type": "LogAppendTime"}, "clock", "message.timestamp.type"),
        ("raw", {"retention.ms": str(24 * HOUR_MS)}, "retention", "retention.ms"),
        ("minimized", {"retention.ms": "-1"}, "retention", "retention.ms"),
        ("minimized", {"retention.ms": None}, "retention", "retention.ms"),
        ("minimized", {"segment.ms": str(24 * HOUR_MS)}, "retention", "segment.ms"),
        ("minimized", {"segment.ms": None}, "retention", "segment.ms"),
        ("minimized", {"file.delete.delay.ms": str(24 * HOUR_MS)}, "retention", "file.delete.delay.ms"),
        ("minimized", {"message.timestamp.after.max.ms": None}, "retention", "message.timestamp.after.max.ms"),
        ("minimized", {OLDEST: None}, "retention", OLDEST),
        ("minimized", {OLDEST: str(9 * DAY_MS)}, "retention", OLDEST),
        ("raw", {"cleanup.policy": "compact"}, "cleanup", "cleanup.policy"),
        ("minimized", {"cleanup.policy": "compact,delete"}, "cleanup", "cleanup.policy"),
        ("minimized", {"remote.storage.enable": "true"}, "tiered", "remote.storage.enable"),
    ],
)
def test_a_setting_that_breaks_the_promise_is_a_breach_and_is_blamed_alone(
    contract: Contract, kept: ClusterState, kind: str, settings: dict[str, str | None], code: str, blamed: str
) -> None:
    topic = next(iter(contract.raw_topics if kind == "raw" else contract.topics))
    (found,) = judged(contract, changed(kept, topic, settings))
    assert (found.topic, found.code) == (topic, code)
    assert list(found.settings) == [blamed]
    said = found.settings[blamed]
    assert ("Kafka's default" if settings[blamed] is None else "set on the topic") in said
    assert found.command


def test_the_raw_topics_limit_on_times_ahead_is_idle_under_the_brokers_clock(
    contract: Contract, kept: ClusterState
) -> None:
    raw = next(iter(contract.raw_topics))
    assert judged(contract, changed(kept, raw, {"message.timestamp.after.max.ms": str(2**63 - 1)})) == []


@pytest.mark.parametrize("source", [Source.BROKER, Source.CLUSTER, Source.FILE])
def test_what_one_broker_inherits_to_a_topic_is_blamed_with_its_place(
    contract: Contract, kept: ClusterState, source: Source
) -> None:
    topic = next(iter(contract.topics))
    odd = {**USUAL, "cleanup.policy": Setting("compact", source)}
    state = replace(changed(kept, topic, {"cleanup.policy": None}), brokers={1: USUAL, 2: odd, 3: USUAL})
    (found,) = judged(contract, state)
    where = {"broker": "set on broker 2", "cluster": "set for all brokers", "file": "in broker 2's server.properties"}
    assert found.settings == {"cleanup.policy": f"compact ({where[source]})"}


def test_one_broker_that_looks_less_often_breaks_every_promise_and_is_to_blame(
    contract: Contract, kept: ClusterState
) -> None:
    slow = {**USUAL, CHECK_INTERVAL: Setting(str(HOUR_MS), Source.FILE)}
    state = replace(kept, brokers={1: USUAL, 2: slow, 3: USUAL})
    found = judged(contract, state)
    assert {breach.topic for breach in found} == names(contract)
    assert {tuple(breach.settings) for breach in found} == {(CHECK_INTERVAL,)}
    assert {breach.settings[CHECK_INTERVAL] for breach in found} == {f"{HOUR_MS} (in broker 2's server.properties)"}
    assert judged(contract, applied(contract, state)) == []  # a plan makes retention shorter by as much


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"retention.ms": "-1"}, []),
        ({"retention.ms": str(9 * DAY_MS), "segment.ms": str(9 * DAY_MS)}, []),
        ({"segment.ms": str(9 * DAY_MS), "retention.ms": "3600000"}, ["retention.ms"]),
        ({"message.timestamp.type": "LogAppendTime"}, []),
        ({OLDEST: None}, []),
        ({"retention.ms": "3600000"}, ["retention.ms"]),
    ],
)
def test_no_setting_that_is_to_blame_is_said_to_break_nothing(
    contract: Contract, kept: ClusterState, settings: dict[str, str | None], left: list[str]
) -> None:
    (topic,) = contract.topics
    state = changed(kept, topic, settings)
    (promise,) = (each for each in promises(contract) if each.topic == topic)
    assert [each.setting for each in harmless(promise, state, judged(contract, state))] == left
    assert {each.setting for each in differences(promise, state)} == settings.keys()


def test_brokers_that_look_rarely_leave_no_setting_of_a_topic_harmless(contract: Contract, kept: ClusterState) -> None:
    state = replace(kept, brokers={1: {**USUAL, CHECK_INTERVAL: Setting(str(HOUR_MS), Source.FILE)}})
    breaches = judged(contract, state)
    assert [each for promise in promises(contract) for each in harmless(promise, state, breaches)] == []


def test_a_plan_draws_no_arrow_to_partitions_that_cannot_be_taken_away(contract: Contract, kept: ClusterState) -> None:
    raw = next(iter(contract.raw_topics))
    state = changed(kept, raw, {"retention.ms": "-1"})
    for live, line in ((5, "5"), (2, "2"), (1, "1 -> 2")):
        topics = {**state.topics, raw: replace(state.topics[raw], partitions=live)}
        lines = list(plan_lines(plan(contract, replace(state, topics=topics))))
        assert [each.split(maxsplit=1)[1] for each in lines if each.split()[:1] == ["partitions"]] == [line]
    alone = replace(kept, topics={**kept.topics, raw: replace(kept.topics[raw], partitions=5)})
    assert not any("as the contract says" in each for each in plan_lines(plan(contract, alone)))


def test_missing_topics_and_other_partition_counts_are_breaches(contract: Contract, kept: ClusterState) -> None:
    found = judged(contract, replace(kept, topics={}))
    assert {(breach.topic, breach.code) for breach in found} == {(name, "missing") for name in names(contract)}
    raw = next(iter(contract.raw_topics))
    for partitions, command in ((1, PLAN), (3, "")):
        state = replace(kept, topics={**kept.topics, raw: replace(kept.topics[raw], partitions=partitions)})
        assert [(each.topic, each.code, each.command) for each in judged(contract, state)] == [
            (raw, "partitions", command)
        ]


def test_a_replica_that_is_not_in_sync_on_a_broker_that_is_up_is_unproven(
    contract: Contract, kept: ClusterState
) -> None:
    """So it is when one of a broker's log directories fails and the broker lives on (seen on Kafka 4.3.1)."""
    topic = next(iter(contract.topics))
    state = replace(kept, brokers=dict.fromkeys((1, 2, 3), USUAL))
    places = (Place(0, 1, (1, 2, 3), (1, 3)), Place(1, 2, (2, 3, 1), (2, 3, 1)), Place(2, 3, (3, 4), (3,)))
    found = list(unproven({topic: TopicInfo(topic, b"", 3, 2, places)}, state, {(topic, n): EMPTY for n in range(3)}))
    assert found == [
        Unproven(topic, 0, "broker 2 is up, and its replica is not in sync: its log directory may have failed"),
        Unproven(topic, 2, "broker 4 has a replica and is down: so long, it deletes nothing"),
    ]
