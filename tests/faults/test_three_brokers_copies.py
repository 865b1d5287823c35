"""What hangs on the number of copies: a commit cut in half, and a broken promise that is noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # the package has no __all__
from structlog.testing import capture_logs

from pipelines.broker import AdminClient, EmbeddedKafka
from pipelines.relay.steps import Step
from pipelines.relay.waits import RelayLimits
from pipelines.trouble import Exit, Trouble
from tests.faults.quorum import group_coordinator, leaders, transaction_coordinator
from tests.support.brokers import Brokers, Kind
from tests.support.exactness import kept_or_missed_aloud
from tests.support.kafka import SHORT_TIMINGS
from tests.support.oracle import committed, differences, expect
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.relaying import get_through
from tests.support.waiting import CALL_S, until


class FatalError(Exception):
    """A worker's end in the middle of a batch."""


ALL = frozenset({1, 2, 3})
SETTINGS = (
    "cleanup.policy",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms",
    "retention.ms",
    "segment.ms",
    "file.delete.delay.ms",
)


@pytest.fixture
def brokers(kafka3: EmbeddedKafka) -> EmbeddedKafka:
    """The three, all of them up again afterwards."""
    return kafka3


@pytest.fixture
def house(tmp_path: Path, brokers: EmbeddedKafka) -> RelayFixture:
    """A house whose group and transactional id the cluster has met."""
    house = build(tmp_path, brokers.cluster)
    house.publish([house.ping(n) for n in range(3)])
    with running(house.worker()):
        house.wait_until_through()
    return house


def made_anew(house: RelayFixture, topic: str, replicas: list[list[int]], changes: Mapping[str, str]) -> None:
    """Make a topic again, with copies of each partition on these brokers."""
    live = house.cluster.admin(timeout_s=CALL_S).topic_configs([topic])[topic]
    configs = {**{name: live[name] for name in SETTINGS}, **changes}
    client = AdminClient({"bootstrap.servers": house.cluster.bootstrap})
    client.delete_topics([topic])[topic].result(CALL_S)
    until(lambda: not house.cluster.admin(timeout_s=CALL_S).topics([topic]), "the topic goes")
    asked = NewTopic(topic, len(replicas), replica_assignment=replicas, config=configs)
    client.create_topics([asked])[topic].result(CALL_S)
    until(lambda: -1 not in leaders_or_none(house, topic).values(), "the topic is known")


def leaders_or_none(house: RelayFixture, topic: str) -> Mapping[int, int]:
    """As the cluster says now; without a leader, -1."""
    metadata = AdminClient({"bootstrap.servers": house.cluster.bootstrap}).list_topics(topic, timeout=CALL_S)
    return {number: each.leader for number, each in metadata.topics[topic].partitions.items()} or {0: -1}


def test_a_commit_whose_markers_reached_some_partitions_only_is_finished_or_missed_aloud(
    tmp_path: Path, brokers: EmbeddedKafka, house: RelayFixture
) -> None:
    house = build(tmp_path / "second", brokers.cluster)
    coordinator = transaction_coordinator(brokers, house.settings().slot_id)
    only = min(ALL - {coordinator, group_coordinator(brokers, house.settings().group)})
    third = min(ALL - {coordinator, only})
    made_anew(house, house.loose, [[only], [third]], {"min.insync.replicas": "1"})
    half_done = threading.Event()

    def watch(step: Step) -> None:
        if half_done.is_set():
            return
        if step is Step.COMMITTING:
            brokers.kill(only)
            until(lambda: leaders(brokers, house.loose)[0] == -1, "one partition has no leader")
        if step is Step.COMMITTED:
            admin, there = house.cluster.admin(timeout_s=CALL_S), [(house.loose, 1)]
            until(
                lambda: admin.offsets(there, "latest", read_committed=True) == admin.offsets(there, "latest"),
                "the other partition has its marker",
            )
            assert admin.offsets(there, "latest")[house.loose, 1].offset > 1
            brokers.kill(coordinator)
            half_done.set()

    house.publish([house.ping(n) for n in range(100)])
    with running(house.worker(watch=watch, limits=RelayLimits(decided_s=20.0))) as raised:
        until(half_done.is_set, "a commit is cut in half")
        brokers.start()
        house.publish([house.ping(n) for n in range(100)])
        get_through(house, raised)
    kept_or_missed_aloud(house, raised, 200)


def one_copy_each(house: RelayFixture, brokers: EmbeddedKafka) -> int:
    """Give a topic one copy of each partition; the broker of its first one, where no coordinator is."""
    coordinators = {
        transaction_coordinator(brokers, house.settings().slot_id),
        group_coordinator(brokers, house.settings().group),
    }
    only, *others = sorted(ALL - coordinators)
    made_anew(house, house.loose, [[only], [min({*others, *coordinators})]], {"min.insync.replicas": "1"})
    return only


@pytest.mark.parametrize("often", [True, False], ids=["looked for before every batch", "not looked for"])
def test_a_marker_that_went_with_the_only_copy_while_the_coordinator_lived_is_missed_aloud(
    tmp_path: Path, brokers: EmbeddedKafka, house: RelayFixture, *, often: bool
) -> None:
    limits = RelayLimits(look="auto" if often else "never", decided_s=5.0)
    house = build(tmp_path / "second", brokers.cluster)
    only, steps = one_copy_each(house, brokers), list[Step]()

    def watch(step: Step) -> None:
        steps.append(step)
        if step is Step.COMMITTING and Step.COMMITTED not in steps:
            brokers.kill(only)
            until(lambda: leaders(brokers, house.loose)[0] == -1, "one partition has no leader")
        if step is Step.PRODUCED and Step.COMMITTED in steps:
            raise FatalError  # with its transaction open

    house.publish([house.ping(n) for n in range(100)])
    with running(house.worker(watch=watch, batch_events=200, limits=limits)) as raised:
        until(lambda: Step.COMMITTED in steps, "a commit without one of its markers")
        brokers.start()
        house.publish([house.ping(n) for n in range(100)])
        until(lambda: bool(raised), "the worker ends")
    if often:
        assert isinstance(raised[0], Trouble)
        assert f"hangs in {house.loose}/0" in str(raised[0])
        assert raised[0].exit_code is Exit.REFUSED
    else:
        assert isinstance(raised[0], FatalError)
        with running(house.worker(limits=limits)) as raised:
            house.wait_until_through()
        assert raised == []
        expectation = expect(house.contract, house.cluster, house.keyring)
        assert differences(expectation, *committed(house.contract, house.cluster)).keys() == {"lost"}


@pytest.fixture
def one_copy_of_offsets(broker_pool: Brokers) -> EmbeddedKafka:
    """Three brokers, three copies of all topics but of the one that keeps groups' offsets."""
    few = {"offsets.topic.replication.factor": "1", "min.insync.replicas": "1"}
    return broker_pool.private(Kind("one-copy-of-offsets", 3, {**SHORT_TIMINGS, **few}))


def kept_apart(kafka: EmbeddedKafka, folder: Path) -> RelayFixture:
    """A house whose group and transactions are kept by two brokers, which have met them."""
    while True:
        house = build(folder / f"house{time.monotonic_ns()}", kafka.cluster)
        house.publish([house.ping(n) for n in range(3)])
        with running(house.worker()):
            house.wait_until_through()
        settings = house.settings()
        if transaction_coordinator(kafka, settings.slot_id) != group_coordinator(kafka, settings.group):
            return house


def test_offsets_whose_marker_may_go_with_their_only_copy_are_kept_or_missed_aloud(
    tmp_path: Path, one_copy_of_offsets: EmbeddedKafka
) -> None:
    limits = RelayLimits(decided_s=10.0, committed_s=5.0, behind_s=10.0)
    brokers = one_copy_of_offsets
    house, steps = kept_apart(brokers, tmp_path), list[Step]()
    keeper = group_coordinator(brokers, house.settings().group)

    def watch(step: Step) -> None:
        steps.append(step)
        if step is Step.COMMITTING and Step.COMMITTED not in steps:
            brokers.kill(keeper)
            until(lambda: -1 in leaders(brokers, "__consumer_offsets").values(), "the offsets have no leader")

    house.publish([house.ping(n) for n in range(100)])
    with capture_logs() as lines, running(house.worker(watch=watch, limits=limits)) as raised:
        until(lambda: Step.COMMITTED in steps, "a commit whose offsets have no leader")
        brokers.start()
        house.publish([house.ping(n) for n in range(100)])
        get_through(house, raised)
    assert [line["topics"] for line in lines if line["event"] == "replicas.few"] == [["__consumer_offsets"]]
    kept_or_missed_aloud(house, raised, 203)


def test_the_oracle_sees_what_one_copy_and_an_unclean_leader_lose(
    tmp_path: Path, brokers: EmbeddedKafka, house: RelayFixture
) -> None:
    house = build(tmp_path / "second", brokers.cluster)
    coordinator = group_coordinator(brokers, house.settings().group)
    last, stale = sorted(ALL - {coordinator})
    careless = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
    made_anew(house, house.loose, [[last, stale]] * 2, careless)
    brokers.kill(stale)
    until(lambda: stale not in leaders(brokers, house.raw_topic).values(), "the stale copy is out")
    house.publish([house.ping(n) for n in range(100)])
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    brokers.kill(last)
    # The stale copy alone is asked for: it becomes the leader, and the last one must follow it.
    brokers._start_node(stale)
    until(lambda: set(leaders(brokers, house.loose).values()) == {stale}, "the stale copy leads")
    brokers.start()
    time.sleep(1)
    expectation = expect(house.contract, house.cluster, house.keyring)
    records, notes = committed(house.contract, house.cluster)
    assert differences(expectation, records, notes) == {"lost": 100}
