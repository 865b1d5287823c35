"""Applying a plan on a real broker: exactly that, recorded, refused when something changed, repeatable when killed."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.broker import Cluster, NewTopic, TopicPartition, records
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.topics.applying import apply, create_missing
from pipelines.topics.document import fingerprint
from pipelines.topics.looking import look, look_around
from pipelines.topics.planning import Danger, Plan, plan
from pipelines.topics.progress import progress
from pipelines.topics.state import OLDEST, ClusterState
from pipelines.topics.verifying import verify
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import MakeTopic, delete_topics, flushed
from tests.support.waiting import CALL_S
from tests.topics.contracts import Alter, MakeContract, names

LATE = 6 * HOUR_MS


def planned_for(contract: Contract, cluster: Cluster) -> Plan:
    return plan(contract, look_around(contract, cluster))


def state_of(contract: Contract, cluster: Cluster) -> ClusterState:
    """The cluster without topics that are not the contract's: other tests may make them at the same time."""
    return replace(look(contract, cluster.admin(timeout_s=CALL_S)), undeclared=())


def retold(contract: Contract, **changed: Any) -> Contract:
    """The contract with something else said of its minimized topic."""
    topics = {name: replace(topic, **changed) for name, topic in contract.topics.items()}
    return replace(contract, topics=topics, digest=contract.digest + repr(changed).encode())


def recorded(contract: Contract, cluster: Cluster) -> list[dict[str, Any]]:
    if contract.changes.name not in cluster.admin(timeout_s=CALL_S).topics():
        return []
    return [orjson.loads(message.value() or b"") for message in records(cluster, contract.changes.name)]


@pytest.fixture
def first(cluster: Cluster, contract: Contract) -> Contract:
    """A contract whose topics are as promised."""
    create_missing(contract, cluster, "tests")
    return contract


@pytest.fixture
def minimized(contract: Contract) -> str:
    return next(iter(contract.topics))


def test_a_plan_is_applied_and_then_there_is_nothing_to_plan(cluster: Cluster, first: Contract, minimized: str) -> None:
    contract = retold(first, ttl_ms=DAY_MS, consumers=("audit-office", "board"), partitions=4)
    planned = planned_for(contract, cluster)
    (entry,) = planned.entries
    assert entry.dangers == (Danger.CONSUMER, Danger.PARTITIONS)
    assert (entry.ttl_before_ms, entry.worst_before_ms, entry.worst_ms) == (2 * DAY_MS, 2 * DAY_MS, DAY_MS)
    done = apply(planned, contract, cluster, "somebody")
    assert done.made == planned.steps
    assert cluster.admin(timeout_s=CALL_S).topics([minimized])[minimized].partitions == 4
    again = planned_for(contract, cluster)
    assert again.is_empty
    assert again.entries == ()


def test_the_same_plan_once_more_changes_nothing_and_says_so(cluster: Cluster, first: Contract) -> None:
    contract = retold(first, ttl_ms=DAY_MS)
    planned = planned_for(contract, cluster)
    apply(planned, contract, cluster, "tests")
    before, records_before = state_of(contract, cluster), len(recorded(contract, cluster))
    again = apply(planned, contract, cluster, "tests")
    assert (again.made, again.found_made) == ((), planned.steps)
    assert state_of(contract, cluster) == before
    assert len(recorded(contract, cluster)) == records_before


def test_a_shorter_ttl_is_kept_from_when_the_old_segments_are_gone(
    cluster: Cluster, first: Contract, minimized: str
) -> None:
    contract = retold(first, ttl_ms=DAY_MS)
    now_s = time.time()
    planned = planned_for(contract, cluster)
    done = apply(planned, contract, cluster, "tests", clock=lambda: now_s)
    retention_ms = int(cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized]["retention.ms"])
    times = planned.state.times
    waiting_ms = retention_ms + times.look_ms + times.delete_delay_ms + times.slack_ms
    assert done.kept_from_ms == {minimized: int(now_s * 1000) + waiting_ms}


def test_a_shorter_late_gives_retention_more_only_when_latecomers_are_gone(
    cluster: Cluster, first: Contract, minimized: str
) -> None:
    contract = retold(first, late_ms=HOUR_MS)
    before = cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized]
    planned = planned_for(contract, cluster)
    assert [set(step.settings) for step in planned.steps] == [{OLDEST}, set()]
    done = apply(planned, contract, cluster, "tests")
    now = cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized]
    assert {name for name in now if now[name] != before[name]} == {OLDEST}
    waiting = planned_for(contract, cluster)
    assert waiting.is_empty
    (entry,) = waiting.entries
    assert entry.held is not None
    assert entry.held.until_ms is not None
    assert abs(entry.held.until_ms - done.held_until_ms[minimized]) < 60_000
    verdict = verify(contract, cluster, int(time.time() * 1000))
    assert (verdict.breaches, verdict.differences, set(verdict.held)) == ((), (), {minimized})
    until_s = entry.held.until_ms / 1000
    assert plan(contract, look_around(contract, cluster, clock=lambda: until_s - 1)).is_empty
    grown = plan(contract, look_around(contract, cluster, clock=lambda: until_s))
    assert [set(step.settings) for step in grown.steps] == [{"retention.ms", "segment.ms"}, set()]
    apply(grown, contract, cluster, "tests", clock=lambda: until_s)
    assert planned_for(contract, cluster).entries == ()


def test_a_plan_that_is_older_than_latecomers_is_refused(
    cluster: Cluster, first: Contract, minimized: str, alter: Alter
) -> None:
    usual = cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized]
    contract = retold(first, ttl_ms=3 * DAY_MS)
    old = planned_for(contract, cluster)
    alter(minimized, {OLDEST: str(9 * DAY_MS)})
    apply(planned_for(first, cluster), first, cluster, "tests")
    with pytest.raises(Trouble, match=f"{minimized} let in records that this plan would let outlive") as refused:
        apply(old, contract, cluster, "tests")
    assert refused.value.exit_code == Exit.REFUSED
    assert cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized] == usual
    (entry,) = planned_for(contract, cluster).entries
    assert entry.held is not None


def test_a_longer_ttl_has_nothing_to_wait_for(cluster: Cluster, first: Contract) -> None:
    contract = retold(first, ttl_ms=3 * DAY_MS)
    assert apply(planned_for(contract, cluster), contract, cluster, "tests").kept_from_ms == {}


def test_every_change_is_recorded_with_who_what_and_under_which_plan(
    cluster: Cluster, first: Contract, minimized: str
) -> None:
    contract = retold(first, ttl_ms=DAY_MS, consumers=("board",))
    planned = planned_for(contract, cluster)
    before = len(recorded(contract, cluster))
    done = apply(planned, contract, cluster, "somebody")
    said = recorded(contract, cluster)[before:]
    assert [each["kind"] for each in said] == ["change"] * (len(planned.steps) - 1) + ["applied"]
    assert {(each["by"], each["plan"], each["contract"]) for each in said} == {
        ("somebody", done.plan, contract.digest.hex())
    }
    for each, step in zip(said[:-1], planned.steps[:-1], strict=True):
        assert each["step"]["topic"] == minimized
        assert each["step"]["settings"] == step.settings
        assert each["step"]["before"] == step.before
    assert said[-1]["audience"][minimized] == {"ttl_ms": DAY_MS, "consumers": ["board"]}
    assert said[-1]["kept_from"].keys() == {minimized}


def test_a_change_that_cannot_be_recorded_is_not_made(cluster: Cluster, first: Contract, alter: Alter) -> None:
    contract = retold(first, ttl_ms=DAY_MS)
    alter(contract.changes.name, {"max.message.bytes": "1"})
    planned = planned_for(contract, cluster)
    with pytest.raises(Trouble, match="so nothing was changed") as refused:
        apply(planned, contract, cluster, "tests")
    assert refused.value.exit_code == Exit.UNAVAILABLE
    now = look(contract, cluster.admin(timeout_s=CALL_S))
    assert progress(planned, now).done == ()


def test_a_cluster_that_somebody_changed_since_is_refused_with_what_changed(
    cluster: Cluster, first: Contract, minimized: str, alter: Alter
) -> None:
    contract = retold(first, ttl_ms=DAY_MS)
    planned = planned_for(contract, cluster)
    alter(minimized, {"retention.ms": "123456789"})
    with pytest.raises(Trouble, match=f"{minimized}: retention.ms was [0-9]+, is 123456789") as refused:
        apply(planned, contract, cluster, "tests")
    assert refused.value.exit_code == Exit.REFUSED
    assert cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized]["retention.ms"] == "123456789"


def test_a_topic_that_somebody_made_or_took_away_since_is_refused(
    cluster: Cluster, contract: Contract, minimized: str
) -> None:
    planned = planned_for(contract, cluster)
    cluster.admin(timeout_s=CALL_S).create([NewTopic(minimized, 1, 1)])
    with pytest.raises(Trouble, match=f"{minimized} was made, and not as planned"):
        apply(planned, contract, cluster, "tests")
    assert (
        names(contract) - {minimized}
        == names(contract) - cluster.admin(timeout_s=CALL_S).topics(names(contract)).keys()
    )
    planned = planned_for(contract, cluster)
    delete_topics(cluster, [minimized])
    with pytest.raises(Trouble, match=f"{minimized} is gone"):
        apply(planned, contract, cluster, "tests")


def test_another_contract_than_the_plans_is_refused(cluster: Cluster, first: Contract) -> None:
    planned = planned_for(retold(first, ttl_ms=DAY_MS), cluster)
    with pytest.raises(Trouble, match="the contract is another one"):
        apply(planned, retold(first, ttl_ms=5 * DAY_MS), cluster, "tests")


def test_other_topics_are_nobodys_business(cluster: Cluster, first: Contract, make_topic: MakeTopic) -> None:
    contract = retold(first, ttl_ms=DAY_MS)
    planned = planned_for(contract, cluster)
    other = make_topic()
    apply(planned, contract, cluster, "tests")
    assert other in planned_for(contract, cluster).state.undeclared


def lagging(cluster: Cluster, topic: str, group: str, ages_ms: list[int]) -> None:
    """A group that read the first record of partition 0 only; the records are so old."""
    producer = cluster.producer(**{"enable.idempotence": False, "acks": 1})
    now_ms = int(time.time() * 1000)
    for age_ms in ages_ms:
        producer.produce(topic, b"x", partition=0, timestamp=now_ms - age_ms)
    flushed(producer)
    consumer = cluster.consumer(**{"group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    consumer.close()


def test_a_lagging_group_is_named_with_its_lag_and_its_loss_has_to_be_accepted(
    cluster: Cluster, first: Contract, minimized: str, alter: Alter
) -> None:
    alter(minimized, {"message.timestamp.before.max.ms": str(9 * DAY_MS), "retention.ms": str(9 * DAY_MS)})
    group = f"slow-{minimized}"
    lagging(cluster, minimized, group, [5 * DAY_MS, 4 * DAY_MS, 3 * DAY_MS, 2 * HOUR_MS])
    planned = planned_for(first, cluster)
    with pytest.raises(Trouble, match=f"{group} has 3 records of {minimized} to read, 2 of which would go") as refused:
        apply(planned, first, cluster, "tests")
    assert refused.value.exit_code == Exit.REFUSED
    assert f"--accept-loss-for {group}" in refused.value.hint
    with pytest.raises(Trouble, match=group):
        apply(planned, first, cluster, "tests", accept_loss_for=["another"])
    done = apply(planned, first, cluster, "tests", accept_loss_for=[group])
    assert [(loss.group, loss.records, loss.lag) for loss in done.accepted] == [(group, 2, 3)]


def test_what_only_compaction_kept_is_not_deleted_without_asking_its_readers(
    cluster: Cluster, first: Contract, minimized: str, alter: Alter
) -> None:
    kept = cluster.admin(timeout_s=CALL_S).topic_configs([minimized])[minimized]["retention.ms"]
    alter(minimized, {"message.timestamp.before.max.ms": str(9 * DAY_MS), "retention.ms": str(9 * DAY_MS)})
    group = f"compacted-{minimized}"
    lagging(cluster, minimized, group, [5 * DAY_MS, 4 * DAY_MS, 3 * DAY_MS, 2 * HOUR_MS])
    alter(minimized, {"cleanup.policy": "compact", "retention.ms": kept})
    with pytest.raises(Trouble, match=f"{group} has 3 records of {minimized} to read, 2 of which would go"):
        apply(planned_for(first, cluster), first, cluster, "tests")


def test_a_group_that_has_read_what_would_go_is_not_in_the_way(
    cluster: Cluster, first: Contract, minimized: str, alter: Alter
) -> None:
    alter(minimized, {"message.timestamp.before.max.ms": str(9 * DAY_MS), "retention.ms": str(9 * DAY_MS)})
    lagging(cluster, minimized, f"quick-{minimized}", [5 * DAY_MS, HOUR_MS, 0])
    assert apply(planned_for(first, cluster), first, cluster, "tests").accepted == ()


@pytest.fixture
def worn(make_contract: MakeContract, cluster: Cluster) -> Iterator[Any]:
    """Makes a contract and a cluster that want every kind of step, anew for each call."""
    used: list[str] = []

    def make() -> tuple[Contract, Plan]:
        contract = make_contract(late_ms=LATE)
        (minimized,) = contract.topics
        used.extend(names(contract))
        cluster.admin(timeout_s=CALL_S).create([NewTopic(minimized, 1, 1)])
        return contract, planned_for(contract, cluster)

    yield make
    delete_topics(cluster, list(cluster.admin(timeout_s=CALL_S).topics(used)))


def test_killed_at_every_moment_and_repeated_it_ends_in_the_same_state(
    cluster: Cluster, worn: Any, tmp_path: Path
) -> None:
    contract, planned = worn()
    kinds = [step.kind for step in planned.steps]
    assert kinds == ["create", "set", "set", "partitions", "create", "create", "record"]
    moments: list[str] = []
    apply(planned, contract, cluster, "tests", watch=moments.append)
    assert len(moments) == 16

    def shape(contract: Contract) -> list[Any]:
        topics = look(contract, cluster.admin(timeout_s=CALL_S)).topics
        return [(each.partitions, each.replication, each.settings) for _, each in sorted(topics.items())]

    wanted = shape(contract)
    for number in range(1, len(moments) + 1):
        contract, planned = worn()
        file = tmp_path / "plan"
        file.write_bytes(pickle.dumps((contract, planned, cluster.bootstrap)))
        killed = subprocess.run([sys.executable, "-m", "tests.topics.killed", str(file), str(number)], check=False)
        assert killed.returncode == -signal.SIGKILL, moments[number - 1]
        made = progress(planned, look(contract, cluster.admin(timeout_s=CALL_S))).done
        written = recorded(contract, cluster)
        # Killed after the last word of it: then nothing is left, and nothing more is said.
        ended = [(each["kind"], each["plan"]) for each in written][-1:] == [("applied", fingerprint(planned))]
        said = [each["step"]["topic"] for each in written if each["kind"] == "change"]
        for step in made:
            assert step.topic in said or step.topic == contract.changes.name, moments[number - 1]
        assert len(said) >= len([step for step in made if step.topic != contract.changes.name]), moments[number - 1]
        again = apply(planned, contract, cluster, "tests")
        assert again.found_made == (planned.steps if ended else made), moments[number - 1]
        assert shape(contract) == wanted, moments[number - 1]
        assert planned_for(contract, cluster).is_empty
        last = recorded(contract, cluster)
        assert last[-1]["kind"] == "applied"
        if made and not ended:
            assert any(each["kind"] == "resumed" and len(each["steps"]) == len(made) for each in last)
