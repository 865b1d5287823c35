"""Mutants of the relay that only a commit in the wrong moment shows, each caught by a test that passes without it."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pipelines.broker import Cluster
from pipelines.relay.hanging import Hanging
from pipelines.relay.steps import Step
from pipelines.relay.succession import Succession
from pipelines.relay.supervisor import Launch
from tests.faults.late_requests import a_commit_comes_late, differ, offsets_come_late
from tests.faults.proxy import Proxy
from tests.support.exactness import outputs_are_exact
from tests.support.processes import ended
from tests.support.relay_fixture import RelayFixture, running
from tests.support.waiting import until

# Session timeout, rebalance and first batch, with time to spare. The transaction itself lasts 30 s.
_TAKEN_OVER_S, _TAKEN_OVER_AT_THE_LATEST_S = 12.0, 25.0


@dataclass
class Uncommitted:
    """A cluster whose consumers do not wait for offsets of open transactions."""

    real: Cluster

    def consumer(self, **settings: Any) -> Any:
        return self.real.consumer(**{**settings, "isolation.level": "read_uncommitted"})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def dies_committing_and_is_taken_over(
    house: RelayFixture, proxy: Proxy, through: Cluster, successors: Any, within_s: float
) -> bool:
    """A process is killed while its commit is on the way; that arrives when another slot has the partitions.

    Returns whether the other slot had committed by then, within so many seconds.
    """
    house.publish([house.ping(n) for n in range(400)], partition=0)
    settings = replace(house.settings(0, batch_events=200), bootstrap=through.bootstrap)
    held = proxy.hold_end_txn(transactional_id=settings.slot_id)
    with Launch().process() as first:
        assert first.stdin is not None
        first.stdin.write(settings.to_json() + b"\n")
        first.stdin.flush()
        until(held.taken.is_set, "the commit on its way")
        first.kill()
        assert ended(first, "the killed worker") == -signal.SIGKILL
    committed = threading.Event()

    def watch(now: Step) -> None:
        if now is Step.COMMITTED:
            committed.set()

    with running(house.worker(slot=1, cluster=successors, watch=watch, batch_events=200)) as raised:
        had_committed = committed.wait(within_s)
        held.deliver()
        until(held.answered.is_set, "the broker's answer")
        assert held.error == 0
        until(committed.is_set, "the other slot's commit")
        if not had_committed:
            house.wait_until_through()
    assert raised == []
    return had_committed


def test_who_takes_over_waits_for_the_commit_of_a_killed_worker(
    house: RelayFixture, proxy: Proxy, through: Cluster
) -> None:
    assert not dies_committing_and_is_taken_over(house, proxy, through, house.cluster, _TAKEN_OVER_S)
    outputs_are_exact(house)


def test_a_raw_consumer_that_reads_uncommitted_is_caught(
    house: RelayFixture, proxy: Proxy, through: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caught by test_who_takes_over_waits_for_the_commit_of_a_killed_worker."""
    # Who starts would see that transaction by another way, too; who has long run would not.
    monkeypatch.setattr(Hanging, "over", lambda _: True)
    careless = Uncommitted(house.cluster)
    assert dies_committing_and_is_taken_over(house, proxy, through, careless, _TAKEN_OVER_AT_THE_LATEST_S)
    assert "duplicated" in differ(house)


@pytest.fixture
def _no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def never(_: Succession, _reason: str) -> Iterator[None]:
        yield

    monkeypatch.setattr(Succession, "doubted_if_slow", never)


@pytest.mark.usefixtures("_no_doubt")
def test_a_producer_that_is_reused_after_a_slow_commit_is_caught(
    house: RelayFixture, proxy: Proxy, through: Cluster
) -> None:
    """Caught by test_a_commit_that_arrives_during_the_next_batch_ends_nothing."""
    a_commit_comes_late(house, proxy, through, house.settings().slow_commit_ms)
    assert differ(house).keys() == {"duplicated"}


@pytest.mark.usefixtures("_no_doubt")
def test_a_producer_that_is_reused_after_slow_offsets_is_caught(
    house: RelayFixture, proxy: Proxy, through: Cluster
) -> None:
    """Caught by test_offsets_that_arrive_after_the_next_ones_change_nothing."""
    offsets_come_late(house, proxy, through, house.settings().slow_commit_ms)
    assert differ(house).keys() == {"duplicated"}
