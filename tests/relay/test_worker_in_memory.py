"""A worker's loop on the in-memory Kafka: what it reads again, replaces, hands over and refuses.

Quick, and no proof of exactly-once delivery: `test_worker.py` has that, on a real broker.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.broker import KafkaError, TopicPartition
from pipelines.relay.audit import read_books
from pipelines.relay.station import Station
from pipelines.relay.steps import Step, Watch
from pipelines.relay.succession import Succession
from pipelines.topics.applying import create_missing
from pipelines.trouble import Exit, Trouble
from tests.support.exactness import outputs_are_exact
from tests.support.memory_kafka import MemoryCluster
from tests.support.oracle import committed
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.relaying import CrashError
from tests.support.waiting import until

QUICK = {"linger_ms": 5, "session_timeout_ms": 200, "batch_events": 50}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> RelayFixture:
    """One contract, made once: making it takes longer than relaying."""
    return build(tmp_path_factory.mktemp("contract"), MemoryCluster())


@pytest.fixture
def house(built: RelayFixture) -> RelayFixture:
    """The contract with its topics on an in-memory cluster of the test's own."""
    cluster = MemoryCluster()
    create_missing(built.contract, cluster, "tests")
    return replace(built, cluster=cluster)


def memory(house: RelayFixture) -> MemoryCluster:
    assert isinstance(house.cluster, MemoryCluster)
    return house.cluster


def relay(house: RelayFixture, **changes: Any) -> None:
    with running(house.worker(**{**QUICK, **changes})) as raised:
        house.wait_until_through()
    assert raised == []


def publish(house: RelayFixture, count: int, **more: Any) -> None:
    house.publish([house.ping(number) for number in range(count)], **more)


def test_every_event_reaches_each_view_or_quarantine_exactly_once(house: RelayFixture) -> None:
    out_of_bounds, no_device = house.ping(4001), house.ping(1, device="")
    house.publish([house.ping(n) for n in range(200)] + [out_of_bounds, no_device, b"not avro", b""])
    relay(house)
    outputs_are_exact(house)
    _, notes = committed(house.contract, house.cluster)
    assert len(notes) == 3


def at(step: Step, occurrence: int, act: Callable[[], object]) -> Watch:
    """Do something the n-th time that a worker reaches a step."""
    seen = 0

    def watch(now: Step) -> None:
        nonlocal seen
        seen += now is step
        if now is step and seen == occurrence:
            act()

    return watch


def crash() -> None:
    raise CrashError


@pytest.mark.parametrize(
    "step",
    [
        Step.POLLED,
        Step.BEGUN,
        Step.PRODUCING,
        Step.PRODUCED,
        Step.SENDING_OFFSETS,
        Step.OFFSETS_SENT,
        Step.COMMITTING,
        Step.COMMITTED,
    ],
)
def test_a_worker_that_breaks_off_at_any_step_leaves_no_trace(house: RelayFixture, step: Step) -> None:
    publish(house, 150)
    worker = house.worker(watch=at(step, 2, crash), **QUICK)
    with pytest.raises(CrashError):
        worker.run()
    relay(house)
    outputs_are_exact(house)


def test_who_gets_the_partitions_of_a_dead_worker_ends_its_transaction(house: RelayFixture) -> None:
    assigned = threading.Event()

    def watch(step: Step) -> None:
        if step is Step.REBALANCING:
            assigned.set()
        crash_late(step)

    crash_late = at(Step.OFFSETS_SENT, 2, crash)
    with running(house.worker(slot=1, **QUICK)) as survivor:
        with running(house.worker(slot=0, watch=watch, **QUICK)) as dead:
            until(assigned.is_set, "a rebalance")
            publish(house, 300)
            until(lambda: dead, "the crash")
        memory(house).advance(1)  # its session is over, its transaction has 29 s left
        house.wait_until_through()
    assert [type(error) for error in dead] == [CrashError]
    assert survivor == []
    outputs_are_exact(house)


def test_two_workers_share_a_source_and_take_over_from_each_other(house: RelayFixture) -> None:
    publish(house, 150)
    with running(house.worker(slot=0, **QUICK)) as first:
        with running(house.worker(slot=1, **QUICK)) as second:
            publish(house, 150)
            house.wait_until_through()
        publish(house, 60)
        house.wait_until_through()
    assert first + second == []
    outputs_are_exact(house)


@pytest.mark.parametrize("step", [Step.BEGUN, Step.PRODUCED, Step.OFFSETS_SENT, Step.COMMITTING, Step.COMMITTED])
def test_a_producer_that_is_fenced_is_replaced_and_its_batch_sent_again(house: RelayFixture, step: Step) -> None:
    publish(house, 150)
    slot_id = house.settings().slot_id

    def fence() -> None:
        house.cluster.producer(**{"transactional.id": slot_id}).init_transactions(5)

    with running(house.worker(watch=at(step, 2, fence), **QUICK)) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_batches_that_are_refused_as_too_large_are_halved_until_they_hold_one_record(house: RelayFixture) -> None:
    made: list[object] = []

    class Noting(MemoryCluster):
        def producer(self, **overrides: Any) -> Any:
            made.append(overrides.get("batch.size"))
            return super().producer(**overrides)

    cluster = Noting()
    create_missing(house.contract, cluster, "tests")
    made.clear()
    with capture_logs() as lines:
        station = Station(house.settings(), cluster, structlog.stdlib.get_logger())
        producers = Succession(station, [house.handled], lambda: False)
        for code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE) * 6:
            producers.ready()
            assert producers.makes_smaller(KafkaError(code))
            producers.doubt = "too large"
        producers.ready()
    assert made == [None, 500_000, 250_000, 125_000, 62_500, 31_250, 15_625, 7_812, 3_906, 1_953, 1_000, 1_000, 1_000]
    levels = [line["log_level"] for line in lines if line["event"] == "batches.smaller"]
    assert levels == ["warning"] * 9 + ["error"] * 3
    assert not producers.makes_smaller(KafkaError(KafkaError.INVALID_RECORD))


def test_offsets_with_counts_that_the_brokers_do_not_take_end_the_worker_with_the_setting_to_change(
    house: RelayFixture,
) -> None:
    producers = Succession(Station(house.settings(), house.cluster, structlog.stdlib.get_logger()), [], lambda: False)
    with pytest.raises(Trouble, match="OFFSET_METADATA_TOO_LARGE") as refused:
        producers.refused(KafkaError(KafkaError.OFFSET_METADATA_TOO_LARGE))
    assert "offset.metadata.max.bytes" in refused.value.hint


def test_a_slot_that_two_processes_run_ends_in_trouble(house: RelayFixture) -> None:
    publish(house, 600)
    slot_id = house.settings().slot_id

    def watch(step: Step) -> None:
        if step is Step.PRODUCED:
            house.cluster.producer(**{"transactional.id": slot_id}).init_transactions(5)

    with running(house.worker(watch=watch, **QUICK)) as raised:
        until(lambda: raised, "the refusal", limit_s=60)
    [trouble] = raised
    assert isinstance(trouble, Trouble)
    assert trouble.exit_code == Exit.REFUSED
    assert "another process runs the slot" in str(trouble)


def test_a_worker_that_stood_still_beyond_its_session_and_its_transaction_begins_anew(house: RelayFixture) -> None:
    publish(house, 150)

    def stand_still() -> None:
        for _ in range(2):  # it is put out for not polling; then its session ends
            memory(house).advance(61)

    with running(house.worker(watch=at(Step.SENDING_OFFSETS, 2, stand_still), **QUICK)) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_a_batch_of_partitions_that_another_worker_got_meanwhile_is_not_committed(house: RelayFixture) -> None:
    sent, may_go_on = threading.Event(), threading.Event()

    def wait() -> None:
        sent.set()
        until(may_go_on.is_set, "the end of the wait")

    settings = {**QUICK, "max_poll_ms": 10_000}
    with (
        running(house.worker(slot=1, **settings)) as other,
        running(house.worker(slot=0, watch=at(Step.SENDING_OFFSETS, 1, wait), **settings)) as slow,
    ):
        until(lambda: sent.is_set() or publish(house, 60), "a batch of slot 0")
        memory(house).advance(11)  # it is put out for not polling; its transaction has time left …
        memory(house).advance(1)  # … and its session is over
        house.wait_until_through()
        may_go_on.set()
        publish(house, 60)
        house.wait_until_through()
    assert other + slow == []
    outputs_are_exact(house)


def delete_before(house: RelayFixture, offset: int) -> None:
    for future in memory(house).admin_client().delete_records([TopicPartition(house.raw_topic, 0, offset)]).values():
        future.result(0)


@pytest.mark.parametrize("left", [0, 5])
def test_raw_records_that_expired_unread_are_counted_and_passed_over(house: RelayFixture, left: int) -> None:
    publish(house, 30, partition=0)
    relay(house)
    publish(house, 20, partition=0)
    delete_before(house, 50 - left)
    relay(house)
    book = read_books(house.contract, house.cluster.admin())[house.raw_topic, 0]
    assert (book.events_in, book.gap, book.next_offset) == (30 + left, 20 - left, 50)
    assert book.imbalances() == []


def test_an_offset_that_no_minimizer_committed_stops_the_worker(house: RelayFixture) -> None:
    publish(house, 1, partition=0)
    with house.cluster.consumer(**{"group.id": house.settings().group}) as consumer:
        consumer.commit(offsets=[TopicPartition(house.raw_topic, 0, 1)], asynchronous=False)
    with pytest.raises(Trouble, match="foreign offset") as trouble:
        house.worker(**QUICK).run()
    assert trouble.value.exit_code == Exit.REFUSED


def test_an_event_that_is_too_late_for_a_view_is_counted_and_not_relayed(house: RelayFixture) -> None:
    publish(house, 10)
    with running(house.worker(clock=lambda: time.time() + 25 * 3600, **QUICK)):
        house.wait_until_through()
    views = [book.views for book in read_books(house.contract, house.cluster.admin()).values()]
    assert sum(view[house.handled].expired for view in views) == 10
    assert committed(house.contract, house.cluster) == ([], [])
