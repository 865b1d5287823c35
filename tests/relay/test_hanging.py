"""A worker writes nothing on top of a transaction whose end is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.broker import (
    Cluster,
    KafkaError,
    KafkaException,
    Place,
    Producer,
    SilentClusterError,
    TopicInfo,
    TopicPartition,
)
from pipelines.relay.hanging import Hanging
from pipelines.relay.station import Station
from pipelines.relay.waits import RelayLimits
from pipelines.trouble import Exit, Trouble
from tests.support.exactness import outputs_are_exact
from tests.support.kafka import flushed
from tests.support.oracle import committed
from tests.support.relay_fixture import RelayFixture, running
from tests.support.waiting import CALL_S, StalledError, joined, until


class Standing:
    """Stands between a relay and its cluster: gives the administration and the consumer that it holds, if any."""

    def __init__(self, cluster: Cluster, admin: Any = None, consumer: Any = None) -> None:
        self.cluster, self.own_admin, self.own_consumer = cluster, admin, consumer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)

    def admin(self, **limits: Any) -> Any:
        return self.own_admin or self.cluster.admin(**limits)

    def consumer(self, **settings: Any) -> Any:
        return self.own_consumer or self.cluster.consumer(**settings)


def hanging_in(
    house: RelayFixture,
    topic: str,
    clock: Callable[[], float] = time.monotonic,
    cluster: Any = None,
    **limits: Any,
) -> Hanging:
    settings = house.settings(limits=RelayLimits(**limits))
    return Hanging(Station(settings, cluster or house.cluster, structlog.stdlib.get_logger()), [topic], bool, clock)


@contextmanager
def unended(house: RelayFixture, topic: str | None) -> Iterator[Producer]:
    """A transaction that somebody else has open: in a topic, if one is named."""
    producer = house.cluster.producer(
        **{"transactional.id": f"unended-{house.source}-{topic}", "transaction.timeout.ms": 600_000}
    )
    producer.init_transactions(CALL_S)
    producer.begin_transaction()
    if topic is not None:
        producer.produce(topic, b"synthetic", partition=0)
        flushed(producer)
    yield producer
    producer.abort_transaction(CALL_S)


@pytest.mark.parametrize("where", ["handled", "loose", "quarantine"])
def test_a_worker_refuses_to_write_where_a_transaction_hangs(house: RelayFixture, where: str) -> None:
    topic = {"handled": house.handled, "loose": house.loose, "quarantine": house.contract.quarantine.name}[where]
    house.publish([house.ping(n) for n in range(30)])
    worker = house.worker(limits=RelayLimits(decided_s=1.0))
    with unended(house, topic), pytest.raises(Trouble, match=f"hangs in {topic}/0 from offset") as trouble:
        worker.run()
    assert trouble.value.exit_code is Exit.REFUSED
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_a_transaction_that_is_only_open_is_waited_for(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(30)])
    with ExitStack() as held:
        held.enter_context(unended(house, house.handled))
        with running(house.worker()) as raised:
            with pytest.raises(StalledError, match="a commit over every raw record"):
                house.wait_until_through(limit_s=2)
            held.close()
            house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_a_worker_whose_offsets_hang_says_so(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(30)])
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    with offsets_left_open(house) as (leave_open, _):
        leave_open()
        with capture_logs() as lines, pytest.raises(Trouble, match="hangs in the offsets of the group") as trouble:
            house.worker(limits=RelayLimits(committed_s=3.0)).run()
    assert trouble.value.exit_code is Exit.REFUSED
    assert [line["topic"] for line in lines if line["event"] == "offsets.hang"] == [house.raw_topic]
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


@pytest.mark.parametrize("often", [True, False], ids=["looked for before every batch", "not looked for"])
def test_a_batch_is_not_sent_on_top_of_offsets_that_hang(house: RelayFixture, *, often: bool) -> None:
    limits = RelayLimits(look="always" if often else "never", committed_s=3.0)
    house.publish([house.ping(n) for n in range(30)])
    with (
        offsets_left_open(house) as (leave_open, _),
        capture_logs() as lines,
        running(house.worker(limits=limits)) as raised,
    ):
        house.wait_until_through()
        leave_open()
        house.publish([house.ping(n) for n in range(30)])
        until(lambda: bool(raised) or records_in(house) == 60, "the worker ends, or goes on")
    failed = [line["reason"] for line in lines if line["event"] == "batch.failed"]
    if often:
        [trouble] = raised
        assert isinstance(trouble, Trouble)
        assert "hangs in the offsets of the group" in str(trouble)
        assert failed == ["undecided"]
    else:
        assert (raised, failed) == ([], [])
    with running(house.worker()) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_offsets_that_are_only_open_are_waited_for_before_a_batch(
    house: RelayFixture,
) -> None:
    house.publish([house.ping(n) for n in range(30)])
    with (
        offsets_left_open(house) as (leave_open, end),
        capture_logs() as lines,
        running(house.worker(limits=RelayLimits(look="always"))) as raised,
    ):
        house.wait_until_through()
        leave_open()
        house.publish([house.ping(n) for n in range(30)])
        until(lambda: [line["event"] for line in lines].count("batch.failed") == 1, "the batch is given back")
        end()
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_a_batch_that_was_read_before_its_producer_was_made_waits_for_its_offsets(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(30)])
    settings = {"slow_commit_ms": -1}  # every commit costs the producer its place
    with (
        offsets_left_open(house) as (leave_open, end),
        capture_logs() as lines,
        running(house.worker(**settings)) as raised,
    ):
        house.wait_until_through()
        leave_open()
        house.publish([house.ping(n) for n in range(30)])
        until(lambda: "undecided" in [line.get("reason") for line in lines], "the batch is given back")
        end()
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_a_properties_file_cannot_have_offsets_looked_at_that_are_undecided(house: RelayFixture) -> None:
    careless = Cluster(house.cluster.bootstrap, {"isolation.level": "read_uncommitted"})
    station = Station(house.settings(), careless, structlog.stdlib.get_logger())
    looking, asked = Hanging(station, [house.handled], bool), [TopicPartition(house.raw_topic, 0)]
    with offsets_left_open(house) as (leave_open, end):
        assert looking.offsets_over(asked)
        leave_open()
        assert not looking.offsets_over(asked)
        end()
        until(lambda: looking.offsets_over(asked), "they are decided")


def test_a_slow_network_gets_more_time_for_offsets_and_a_quick_answer_ends_that(house: RelayFixture) -> None:
    given = list[float]()

    class Slow:
        def committed(self, asked: list[TopicPartition], seconds: float) -> list[TopicPartition]:
            given.append(seconds)
            if seconds < 7:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            return asked

    looking = hanging_in(house, house.handled, cluster=Standing(house.cluster, consumer=Slow()))
    assert [looking.offsets_over([TopicPartition(house.raw_topic, 0)]) for _ in range(4)] == [False, False, True, False]
    assert given == [2, 4, 8, 2]


@contextmanager
def offsets_left_open(house: RelayFixture) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """How to have somebody send an offset of the house's group and leave it undecided; and how to end that."""
    stranger = house.cluster.consumer(**{"group.id": house.settings().group})
    with ExitStack() as held:
        producer = held.enter_context(unended(house, None))

        def leave_open() -> None:
            producer.send_offsets_to_transaction(
                [TopicPartition(house.raw_topic, 0, 1)], stranger.consumer_group_metadata(), 10.0
            )

        yield leave_open, held.close
    stranger.close()


def records_in(house: RelayFixture) -> int:
    """How many records the topic with handles has."""
    return sum(record.topic == house.handled for record in committed(house.contract, house.cluster)[0])


def test_who_is_told_to_stop_waits_no_longer(house: RelayFixture) -> None:
    stopping, over = threading.Event(), list[bool]()
    station = Station(house.settings(), house.cluster, structlog.stdlib.get_logger())
    looking = Hanging(station, [house.handled], stopping.is_set)
    assert looking.over()
    with unended(house, house.handled):
        thread = threading.Thread(target=lambda: over.append(looking.over()))
        thread.start()
        stopping.set()
        joined(thread, "the wait for the open transaction")
    assert over == [False]


def test_a_batch_waits_a_moment_only_and_all_its_waits_count_together(
    house: RelayFixture,
) -> None:
    looking = hanging_in(house, house.handled, decided_s=2.0)
    assert looking.over_within(0.1)
    with unended(house, house.handled):
        begun = time.monotonic()
        with pytest.raises(Trouble, match="hangs in"):
            all(not looking.over_within(0.1) for _ in range(300))
        assert time.monotonic() - begun > 2.0
    assert looking.over()


def test_what_brokers_may_have_ended_while_they_were_silent_is_given_its_time(
    house: RelayFixture,
) -> None:
    asked = list[float]()

    class Admin:
        """The real one, and silent for a while."""

        is_silent, real = False, house.cluster.admin()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def offsets(self, *places: Any, **how: Any) -> Any:
            if not self.is_silent:
                return self.real.offsets(*places, **how)
            asked.append(time.monotonic())
            raise SilentClusterError("nobody answers", hint="")

    admin = Admin()
    looking = hanging_in(house, house.handled, cluster=Standing(house.cluster, admin), decided_s=2.0)
    with unended(house, house.handled):
        assert not looking.over_within(0)
        admin.is_silent = True
        assert not looking.over_within(3.0)
        admin.is_silent = False
        assert not looking.over_within(0)  # three seconds later, of which nobody could tell
        with pytest.raises(Trouble, match="hangs in"):
            looking.over_within(30)
    assert asked


def test_a_new_producer_bears_a_refusal_for_as_long_as_any_other(house: RelayFixture) -> None:
    looking = hanging_in(house, "nowhere", refused_s=2.0)
    assert not looking.over_within(3.0)  # a batch that waited, before its producer was replaced
    begun = time.monotonic()
    with pytest.raises(Trouble, match="nowhere is not there"):
        looking.over()
    assert time.monotonic() - begun > 2.0


def test_who_looks_often_does_so_for_good(house: RelayFixture) -> None:
    brokers, replicas, clock = [1, 2], (1,), [1000.0]

    class Told:
        def topics(self, names: list[str]) -> dict[str, TopicInfo]:
            return {
                name: TopicInfo(name, bytes(16), 1, len(replicas), (Place(0, 1, replicas, replicas),)) for name in names
            }

        def broker_ids(self) -> list[int]:
            return brokers

    looking = hanging_in(house, house.handled, lambda: clock[0], Standing(house.cluster, Told()))
    with capture_logs() as lines:
        assert looking.few
        brokers = [1]
        clock[0] += 61
        assert looking.few
    assert [line["event"] for line in lines] == ["replicas.few"]


def test_offsets_with_one_copy_are_looked_at_as_topics_are(house: RelayFixture) -> None:
    class Told:
        def topics(self, names: list[str]) -> dict[str, TopicInfo]:
            copies = {name: (1,) if name == "__consumer_offsets" else (1, 2, 3) for name in names}
            return {
                name: TopicInfo(name, bytes(16), 1, len(nodes), (Place(0, 1, nodes, nodes),))
                for name, nodes in copies.items()
            }

        def broker_ids(self) -> list[int]:
            return [1, 2, 3]

    looking = hanging_in(house, house.handled, cluster=Standing(house.cluster, Told()))
    with capture_logs() as lines:
        assert (looking.few, looking.few_of_offsets) == (False, True)
    assert [line["topics"] for line in lines] == [["__consumer_offsets"]]


def test_a_topic_that_is_not_there_is_not_decided(house: RelayFixture) -> None:
    looking = hanging_in(house, "nowhere", refused_s=0.5)
    with pytest.raises(Trouble, match="nowhere is not there"):
        looking.over()


def test_whether_to_look_before_every_batch_can_be_told(house: RelayFixture) -> None:
    for look, often in (("auto", False), ("always", True), ("never", False)):
        looking = hanging_in(house, house.handled, look=look)
        assert (looking.few, looking.few_of_offsets) == (often, often)
