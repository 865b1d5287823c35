"""Where a worker goes on from: never from before what it has seen committed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.broker import OFFSET_INVALID, Cluster, KafkaError, KafkaException, TopicPartition
from pipelines.relay.books import PartitionBook
from pipelines.relay.inbox import Inbox
from pipelines.relay.positions import Reached, _committed_within
from pipelines.relay.station import Station
from pipelines.relay.steps import Step
from pipelines.relay.waits import RelayLimits
from pipelines.trouble import Exit, Trouble
from tests.relay.mutants import Altered
from tests.support.exactness import outputs_are_exact
from tests.support.relay_fixture import RelayFixture, build, running

PLACE = ("raw.synthetic.ping", 0)


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    return build(tmp_path, cluster, partitions=1)


class HalfRead(Altered):
    """Coordinators that have read nothing of their log yet, for the next so many questions: no offset is known."""

    questions = 0

    def consumer(self, **settings: Any) -> Any:
        return _Asking(super().consumer(**settings), self)


@dataclass
class _Asking:
    real: Any
    cluster: HalfRead

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if not self.cluster.questions:
            return list(self.real.committed(partitions, timeout=timeout))
        self.cluster.questions -= 1
        return [TopicPartition(each.topic, each.partition, OFFSET_INVALID) for each in partitions]


def test_a_worker_asks_again_when_it_is_told_an_offset_from_before_its_own_commit(house: RelayFixture) -> None:
    cluster, steps = HalfRead(house.cluster), list[Step]()

    def watch(step: Step) -> None:
        steps.append(step)
        if step is Step.SENDING_OFFSETS and steps.count(Step.COMMITTED) == 2 and Step.RECOVERING not in steps:
            cluster.questions = 3
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True))

    house.publish([house.ping(n) for n in range(600)], partition=0)
    with capture_logs() as lines, running(house.worker(cluster=cluster, watch=watch, batch_events=100)) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)
    assert [line["event"] for line in lines].count("position.behind") == 3


def reached(house: RelayFixture, now: list[float]) -> Reached:
    return Reached(Station(house.settings(), house.cluster, structlog.stdlib.get_logger()), lambda: now[0])


def test_what_is_behind_is_not_believed_for_a_minute_and_then_refused(house: RelayFixture) -> None:
    now = [0.0]
    memory = reached(house, now)
    assert memory.believes({PLACE: PartitionBook(10)})
    memory.advance({PLACE: PartitionBook(20)})
    assert not memory.believes({PLACE: PartitionBook(19)})
    now[0] = RelayLimits().behind_s
    assert not memory.believes({PLACE: PartitionBook(19), (PLACE[0], 1): PartitionBook(5)})
    now[0] += 1
    with pytest.raises(Trouble, match="stands behind") as refused:
        memory.believes({PLACE: PartitionBook(19)})
    assert refused.value.exit_code is Exit.REFUSED


def test_a_doubt_that_was_dispelled_begins_anew(house: RelayFixture) -> None:
    now = [0.0]
    memory = reached(house, now)
    memory.advance({PLACE: PartitionBook(20)})
    for now[0] in (0.0, 100.0, 200.0):
        assert not memory.believes({PLACE: PartitionBook(19)})
        assert memory.believes({PLACE: PartitionBook(20)})


def test_an_assignment_that_comes_while_a_worker_leaves_is_not_taken(house: RelayFixture) -> None:
    """The client may have one in progress, and hands it over when it is closed."""
    inbox = Inbox(Station(house.settings(), house.cluster, structlog.stdlib.get_logger()), {house.raw_topic: ()})
    inbox.close()
    with capture_logs() as lines:
        inbox._membership._on_assign(cast("Any", None), [TopicPartition(house.raw_topic, 0)])
    assert (inbox.books, lines) == ({}, [])


class EarlyTimeouts:
    """A consumer whose first requests time out at once, with an older one on the same connection."""

    def __init__(self, early: int) -> None:
        self.early, self.asked = early, 0

    def committed(self, partitions: list[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        self.asked += 1
        if self.asked <= self.early:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(each.topic, each.partition, 7) for each in partitions]


def test_offsets_whose_request_times_out_early_are_asked_for_again() -> None:
    consumer = EarlyTimeouts(2)
    found = _committed_within(30.0, cast("Any", consumer), [TopicPartition(*PLACE)])
    assert found is not None
    assert ([each.offset for each in found], consumer.asked) == ([7], 3)


def test_offsets_are_given_up_when_their_time_is_over_and_not_before() -> None:
    began = time.monotonic()
    assert _committed_within(0.4, cast("Any", EarlyTimeouts(1_000)), [TopicPartition(*PLACE)]) is None
    assert time.monotonic() - began >= 0.3
