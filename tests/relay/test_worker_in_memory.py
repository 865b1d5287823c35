"""A worker's loop on the in-memory Kafka: what it reads again, replaces, hands over and refuses.

Quick, and no proof of exactly-once delivery: `test_worker.py` has that, on a real broker.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.broker import KafkaError, KafkaException, Message, TopicPartition
from pipelines.relay import metrics
from pipelines.relay.audit import read_books
from pipelines.relay.books import PartitionBook
from pipelines.relay.health import STALLED_AFTER_S
from pipelines.relay.station import Station
from pipelines.relay.steps import Step, Watch
from pipelines.relay.succession import Succession
from pipelines.relay.waits import RelayLimits
from pipelines.topics.applying import create_missing
from pipelines.trouble import Exit, Trouble
from tests.support.exactness import outputs_are_exact
from tests.support.kafka import flushed
from tests.support.memory_kafka import MemoryCluster
from tests.support.memory_kafka.consumer import MemoryConsumer
from tests.support.memory_kafka.transactional import TransactionalProducer
from tests.support.oracle import committed
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.relaying import CrashError
from tests.support.waiting import CALL_S, until

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


@pytest.mark.parametrize("where", ["key", "headers"])
def test_a_batch_is_bounded_by_the_bytes_of_keys_and_headers_too(house: RelayFixture, where: str) -> None:
    producer = house.cluster.producer()
    padding: dict[str, Any] = {"key": bytes(400_000)} if where == "key" else {"headers": [("p", bytes(400_000))]}
    for number in range(64):
        producer.produce(house.raw_topic, house.ping(number), partition=0, **padding)
    flushed(producer)
    commits: list[Step] = []
    relay(house, batch_events=2_000, linger_ms=1_000, watch=commits.append)
    # 4 MiB, and what one question may bring beyond: 26 MB take three batches at least, and by values alone one.
    assert commits.count(Step.COMMITTED) >= 3
    outputs_are_exact(house)


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


def lag(house: RelayFixture) -> tuple[float, float]:
    """The events and the seconds that the worker shows."""
    return metrics.LAG.labels(house.raw_topic)._value.get(), metrics.LAG_SECONDS.labels(house.raw_topic)._value.get()


def stalled_s(house: RelayFixture) -> float:
    value: float = metrics.STALLED.labels(house.source, "0")._value.get()
    return value


class Clock:
    """Passes ten seconds at each step of a worker."""

    def __init__(self) -> None:
        self.now_s = time.time()
        self.steps = 0

    def __call__(self) -> float:
        return self.now_s

    def step(self, _step: Step) -> None:
        self.now_s += 10
        self.steps += 1


def test_events_whose_batch_fails_each_time_lag_and_their_worker_is_stalled(house: RelayFixture) -> None:
    clock, fails = Clock(), threading.Event()

    def watch(step: Step) -> None:
        clock.step(step)
        if step is Step.PRODUCED and fails.is_set():
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True))

    publish(house, 30)
    with running(house.worker(watch=watch, clock=clock, **QUICK)) as raised:
        house.wait_until_through()
        until(lambda: lag(house) == (0, 0), "a worker that is through")
        fails.set()
        publish(house, 12)
        until(lambda: raised or stalled_s(house) > 60, "a stall")
        until(lambda: raised or lag(house)[1] > 60, "a lag in seconds")
        # The forecast needs ages from several moments.
        until(
            lambda: raised or metrics.EXPIRY_SECONDS.labels(house.raw_topic, house.handled)._value.get() < inf,
            "a forecast that ends",
        )
        assert lag(house)[0] == 12
        fails.clear()
        house.wait_until_through()
        until(lambda: (*lag(house), stalled_s(house)) == (0, 0, 0), "a worker that is through again")
    assert raised == []
    outputs_are_exact(house)


def test_events_lag_while_their_worker_waits_for_a_producer(house: RelayFixture) -> None:
    clock, away, ready = Clock(), threading.Event(), TransactionalProducer.init_transactions

    def init_transactions(producer: TransactionalProducer, timeout: float = -1) -> None:
        clock.step(Step.POLLED)
        if away.is_set():
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))
        ready(producer, timeout)

    def watch(step: Step) -> None:
        clock.step(step)
        if step is Step.PRODUCED and away.is_set():
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionalProducer, "init_transactions", init_transactions)
        with running(house.worker(watch=watch, clock=clock, **QUICK)) as raised:
            publish(house, 9)
            house.wait_until_through()
            away.set()
            publish(house, 12)
            until(lambda: raised or (lag(house)[0] == 12 and lag(house)[1] > 900), "a lag that grows")
            assert stalled_s(house) <= STALLED_AFTER_S
            away.clear()
            house.wait_until_through()
    assert raised == []


def test_events_lag_while_their_worker_replaces_its_consumer(house: RelayFixture) -> None:
    clock, fails, read = Clock(), threading.Event(), MemoryConsumer.committed

    def committed_offsets(consumer: MemoryConsumer, *asked: Any, **more: Any) -> list[TopicPartition]:
        if fails.is_set():
            clock.step(Step.POLLED)
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return read(consumer, *asked, **more)

    def watch(step: Step) -> None:
        clock.step(step)
        if step is Step.BEGUN and fails.is_set():
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryConsumer, "committed", committed_offsets)
        with running(house.worker(watch=watch, clock=clock, **QUICK)) as raised:
            publish(house, 9)
            house.wait_until_through()
            fails.set()
            publish(house, 12)
            until(lambda: raised or (lag(house)[0] == 12 and lag(house)[1] > 60), "a lag that grows")
            fails.clear()
            house.wait_until_through()
            until(lambda: lag(house) == (0, 0), "a worker that is through")
    assert raised == []


def transaction(house: RelayFixture, numbers: range, *, commits: bool) -> None:
    producer = house.cluster.producer(**{"transactional.id": "raw-producer"})
    producer.init_transactions(5)
    producer.begin_transaction()
    for number in numbers:
        producer.produce(house.raw_topic, house.ping(number), partition=0)
    producer.flush()
    producer.commit_transaction(5) if commits else producer.abort_transaction(5)


def book_of(house: RelayFixture) -> PartitionBook:
    return read_books(house.contract, house.cluster.admin()).get((house.raw_topic, 0), PartitionBook(0))


def test_markers_of_transactions_and_aborted_records_are_no_loss_and_unread_events_are(house: RelayFixture) -> None:
    transaction(house, range(30), commits=True)
    transaction(house, range(30, 50), commits=False)
    with running(house.worker(**QUICK)) as raised:
        until(lambda: raised or book_of(house).next_offset == 52, "a commit that covers the markers, too")
    assert raised == []
    delete_before(house, 52)
    publish(house, 10, partition=0)  # offsets 52 to 61; nobody reads the first seven
    delete_before(house, 59)
    relay(house)
    book = book_of(house)
    assert (book.events_in, book.gap, book.next_offset) == (30 + 3, 7, 62)
    assert book.imbalances() == []


@pytest.mark.parametrize("step", [Step.POLLED, Step.BEGUN, Step.PRODUCED, Step.OFFSETS_SENT, Step.COMMITTED])
def test_no_event_is_passed_over_with_the_markers_after_it(house: RelayFixture, step: Step) -> None:
    for number in range(0, 60, 10):
        transaction(house, range(number, number + 5), commits=True)
        transaction(house, range(number + 5, number + 10), commits=False)
    fails = [True] * 5

    def watch(now: Step) -> None:
        if now is step and step not in {Step.POLLED, Step.COMMITTED} and fails and fails.pop():
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    crash_at = at(step, 2, crash)
    worker = house.worker(watch=crash_at, limits=RelayLimits(markers_s=0), **{**QUICK, "batch_events": 7})
    with pytest.raises(CrashError):
        worker.run()
    with running(house.worker(watch=watch, limits=RelayLimits(markers_s=0), **{**QUICK, "batch_events": 7})) as raised:
        until(lambda: raised or book_of(house).next_offset == 6 * 12, "a commit that covers all")
    assert raised == []
    book = book_of(house)
    assert (book.events_in, book.gap) == (30, 0)
    outputs_are_exact(house)


def commits_of(house: RelayFixture, into: list[tuple[int, int]]) -> Watch:
    """Note after each commit how many events its offset covers in truth, and how many are counted.

    The log holds transactions of five events and a marker.
    """

    def watch(step: Step) -> None:
        if step is Step.COMMITTED:
            book = book_of(house)
            into.append((5 * (book.next_offset // 6) + min(5, book.next_offset % 6), book.events_in))

    return watch


def test_an_end_that_was_met_before_a_rewind_covers_nothing(
    house: RelayFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction(house, range(5), commits=True)
    consume, has_failed, silent_polls, commits = MemoryConsumer.consume, False, 3, list[tuple[int, int]]()
    note = commits_of(house, commits)

    def nothing_after_the_failure(consumer: MemoryConsumer, *asked: Any) -> list[Message]:
        nonlocal silent_polls
        silent_polls -= has_failed
        return [] if has_failed and silent_polls > 0 else consume(consumer, *asked)

    def watch(step: Step) -> None:
        nonlocal has_failed
        note(step)
        if step is Step.PRODUCED and not has_failed:
            has_failed = True
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    monkeypatch.setattr(MemoryConsumer, "consume", nothing_after_the_failure)
    with running(house.worker(watch=watch, limits=RelayLimits(markers_s=0), **QUICK)) as raised:
        until(lambda: raised or book_of(house).next_offset == 6, "a commit that covers all")
    assert (raised, book_of(house).events_in) == ([], 5)
    assert [counted for covered, counted in commits if covered != counted] == []
    outputs_are_exact(house)


def test_an_end_before_events_of_the_same_poll_does_not_set_the_offset_back(
    house: RelayFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction(house, range(5), commits=True)
    consume, later = MemoryConsumer.consume, [range(10, 15)]

    def with_more_after_the_end(consumer: MemoryConsumer, most: int, timeout: float) -> list[Message]:
        found = consume(consumer, most, timeout)
        while later and book_of(house).next_offset == 6 and any(each.error() is None for each in found):
            transaction(house, later.pop(0), commits=True)
            found += consume(consumer, 5, CALL_S)  # and not the end after them
        return found

    monkeypatch.setattr(MemoryConsumer, "consume", with_more_after_the_end)
    commits: list[tuple[int, int]] = []
    worker = house.worker(watch=commits_of(house, commits), limits=RelayLimits(markers_s=0), **QUICK)
    with running(worker) as raised:
        until(lambda: raised or book_of(house).next_offset == 6, "a commit that covers the first marker")
        transaction(house, range(5, 10), commits=True)
        until(lambda: raised or book_of(house).next_offset == 3 * 6, "a commit that covers all")
    assert (raised, book_of(house).events_in) == ([], 15)
    assert [counted for covered, counted in commits if covered != counted] == []
    outputs_are_exact(house)


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
