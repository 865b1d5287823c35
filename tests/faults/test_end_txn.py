"""A request of one transaction that reaches the broker during a later one (KAFKA-17754), and what the relay does then.

Each case has a control, the same with the guard off, which must show the fault: else the case would prove nothing.
"""

import os

import pytest

from pipelines.broker import Cluster
from pipelines.relay.steps import Step
from tests.faults.late_requests import a_commit_comes_late, differ, late, offsets_come_late
from tests.faults.link import Held
from tests.faults.proxy import Proxy
from tests.faults.wire import ADD_OFFSETS, ADD_PARTITIONS, PRODUCE
from tests.support.exactness import outputs_are_exact
from tests.support.kafka import has_no_members
from tests.support.relay_fixture import RelayFixture, running
from tests.support.waiting import until

INVALID_PRODUCER_EPOCH, PRODUCER_FENCED = 47, 90
GUARD_OFF_MS = 1_000_000
# One run shows it; more of them, that it is always so.
TIMES = int(os.environ.get("PIPELINES_FAULT_TIMES", "1"))
SESSION_MS = 2_000


@pytest.mark.parametrize("_time", range(TIMES))
def test_a_commit_that_arrives_during_the_next_batch_ends_nothing(
    house: RelayFixture, proxy: Proxy, through: Cluster, _time: int
) -> None:
    held = a_commit_comes_late(house, proxy, through, house.settings().slow_commit_ms)
    assert held.error in {INVALID_PRODUCER_EPOCH, PRODUCER_FENCED}
    outputs_are_exact(house)


@pytest.mark.parametrize("_time", range(TIMES))
def test_without_the_guard_it_commits_a_batch_that_is_then_read_again(
    house: RelayFixture, proxy: Proxy, through: Cluster, _time: int
) -> None:
    held = a_commit_comes_late(house, proxy, through, GUARD_OFF_MS)
    assert held.error == 0
    assert differ(house).keys() == {"duplicated"}


def an_abort_comes_late(house: RelayFixture, proxy: Proxy, through: Cluster, slow_commit_ms: int) -> Held:
    """A worker stalls until its group puts it out, and so aborts a batch; that abort arrives in the next batch."""
    house.publish([house.ping(n) for n in range(600)])
    held = proxy.hold_end_txn(transactional_id=house.settings().slot_id, commit=False)
    deliver, stalls = late(held, Step.PRODUCED, lambda: None), iter([True])

    def watch(now: Step) -> None:
        if now is Step.PRODUCED and next(stalls, False):
            proxy.stall(True)
            until(lambda: has_no_members(house.cluster, house.settings().group), "a group that put its member out")
            proxy.stall(False)
        deliver(now)

    worker = house.worker(
        cluster=through,
        watch=watch,
        batch_events=200,
        session_timeout_ms=SESSION_MS,
        slow_commit_ms=slow_commit_ms,
    )
    with running(worker) as raised:
        until(held.answered.is_set, "the broker answers the late request")
        house.wait_until_through()
    assert raised == []
    return held


@pytest.mark.parametrize("_time", range(TIMES))
def test_an_abort_that_arrives_during_the_next_batch_loses_nothing(
    house: RelayFixture, proxy: Proxy, through: Cluster, _time: int
) -> None:
    held = an_abort_comes_late(house, proxy, through, house.settings().slow_commit_ms)
    assert held.error in {INVALID_PRODUCER_EPOCH, PRODUCER_FENCED}
    outputs_are_exact(house)


@pytest.mark.parametrize("_time", range(TIMES))
def test_without_the_guard_it_loses_what_the_next_batch_had_produced(
    house: RelayFixture, proxy: Proxy, through: Cluster, _time: int
) -> None:
    held = an_abort_comes_late(house, proxy, through, GUARD_OFF_MS)
    assert held.error == 0
    assert differ(house).keys() == {"lost"}


def test_a_commit_whose_answer_is_lost_is_asked_for_again_and_counts_once(
    house: RelayFixture, proxy: Proxy, through: Cluster
) -> None:
    house.publish([house.ping(n) for n in range(600)])
    held = proxy.hold_end_txn(transactional_id=house.settings().slot_id)
    held.deliver()
    with running(house.worker(cluster=through, batch_events=200)) as raised:
        until(held.answered.is_set, "the broker's answer")
        house.wait_until_through()
    assert raised == []
    assert held.error == 0
    outputs_are_exact(house)


@pytest.mark.parametrize("_time", range(TIMES))
def test_offsets_that_arrive_after_the_next_ones_change_nothing(
    house: RelayFixture, proxy: Proxy, through: Cluster, _time: int
) -> None:
    offsets_come_late(house, proxy, through, house.settings().slow_commit_ms)
    outputs_are_exact(house)


@pytest.mark.parametrize("_time", range(TIMES))
def test_without_the_guard_they_take_the_place_of_the_next_ones(
    house: RelayFixture, proxy: Proxy, through: Cluster, _time: int
) -> None:
    offsets_come_late(house, proxy, through, GUARD_OFF_MS)
    assert differ(house).keys() == {"duplicated"}


@pytest.mark.parametrize("api_key", [PRODUCE, ADD_PARTITIONS, ADD_OFFSETS])
@pytest.mark.parametrize("step", [Step.BEGUN, Step.PRODUCED, Step.COMMITTING])
def test_any_other_request_that_comes_late_is_harmless_even_without_the_guard(
    house: RelayFixture, proxy: Proxy, through: Cluster, api_key: int, step: Step
) -> None:
    """Records have sequence numbers (KIP-98), and a partition that is added to a transaction in vain gets a marker."""
    house.publish([house.ping(n) for n in range(600)], partition=0)
    slot_id = house.settings().slot_id
    held = proxy.hold(lambda request: request.api_key == api_key and request.transactional_id == slot_id)
    begun_since: list[Step] = []

    def watch(now: Step) -> None:
        if now is Step.COMMITTED and held.taken.is_set():
            begun_since.append(now)
        if now is step and begun_since and not held.answered.is_set():
            held.deliver()
            until(held.answered.is_set, "the broker's answer")

    worker = house.worker(cluster=through, watch=watch, batch_events=100, slow_commit_ms=GUARD_OFF_MS)
    with running(worker) as raised:
        until(held.answered.is_set, "the broker answers the late request")
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)
