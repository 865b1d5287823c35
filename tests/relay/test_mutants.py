"""Mutants of the relay. Each scenario is passed by the faithful relay, and each mutant fails its scenario.

A mutant is the real relay on a cluster that makes a mistake (`tests.relay.mutants`), or with one method replaced.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from pipelines.broker import AdminClient, Cluster, KafkaError, KafkaException, TopicPartition
from pipelines.relay.audit import read_books
from pipelines.relay.steps import Step, Watch
from pipelines.relay.supervisor import Launch
from pipelines.relay.worker import Worker
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from tests.relay.mutants import (
    Altered,
    AnswerLost,
    Earliest,
    InNobodysName,
    NeverAborting,
    NotesOutside,
    OffsetsAfter,
    OffsetsBefore,
    RandomIds,
)
from tests.support.calm import calm
from tests.support.exactness import outputs_are_exact
from tests.support.oracle import committed, differences, expect
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.relaying import breaks_off_and_is_followed, get_through
from tests.support.waiting import CALL_S, until


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    return build(tmp_path, cluster, partitions=1)


@pytest.fixture
def wide(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    return build(tmp_path, cluster)


def violations(house: RelayFixture) -> dict[str, int]:
    """What the oracle finds in the whole output."""
    expectation = expect(house.contract, house.cluster, house.keyring)
    return differences(expectation, *committed(house.contract, house.cluster))


def publish(house: RelayFixture, count: int) -> None:
    house.publish([house.ping(n) for n in range(count)], partition=0)


# Offsets outside the transaction. The faithful relay passes at every step: tests/relay/test_worker.py.


def test_offsets_that_the_consumer_commits_before_the_transaction_lose_events(wide: RelayFixture) -> None:
    breaks_off_and_is_followed(wide, Step.COMMITTING, OffsetsBefore(wide.cluster))
    assert set(violations(wide)) == {"lost"}


def test_offsets_that_the_consumer_commits_after_the_transaction_duplicate_events(wide: RelayFixture) -> None:
    breaks_off_and_is_followed(wide, Step.COMMITTED, OffsetsAfter(wide.cluster))
    assert set(violations(wide)) == {"duplicated"}


# A worker that breaks off with notes in an open transaction.


@pytest.mark.parametrize(("relay_on", "found"), [(Altered, set[str]()), (NotesOutside, {"duplicated"})])
def test_quarantine_notes_outside_the_transaction_are_caught(
    wide: RelayFixture, relay_on: type[Altered], found: set[str]
) -> None:
    wide.publish([b"not avro"] * 3)
    breaks_off_and_is_followed(wide, Step.OFFSETS_SENT, relay_on(wide.cluster))
    assert set(violations(wide)) == found


# A batch that fails once, when its records are flushed, with an error after which the worker keeps its producer.


def failing_once(at: Step) -> Watch:
    failed = threading.Event()

    def watch(step: Step) -> None:
        if step is at and not failed.is_set():
            failed.set()
            raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True))

    return watch


def after_a_failed_batch(house: RelayFixture, cluster: Altered, alter: Callable[[Worker], None]) -> set[str]:
    publish(house, 600)
    worker = house.worker(watch=failing_once(Step.SENDING_OFFSETS), cluster=cluster, batch_events=200)
    alter(worker)
    with running(worker) as raised:
        house.wait_until_through()
    assert raised == []
    return set(violations(house))


def as_it_is(_worker: Worker) -> None:
    """The faithful relay."""


def never_rewinding(worker: Worker) -> None:
    setattr(worker, "_recover", worker._outbox.settle)  # noqa: B010 - mypy would not have a method replaced


@pytest.mark.parametrize(
    ("cluster_of", "alter", "found"),
    [
        pytest.param(Altered, as_it_is, set[str](), id="faithful"),
        pytest.param(Altered, never_rewinding, {"lost"}, id="no rewind after an abort"),
        pytest.param(NeverAborting, as_it_is, {"duplicated"}, id="no abort before the rewind"),
    ],
)
def test_a_failed_batch_must_be_aborted_and_read_again(
    house: RelayFixture, cluster_of: type[Altered], alter: Callable[[Worker], None], found: set[str]
) -> None:
    assert after_a_failed_batch(house, cluster_of(house.cluster), alter) == found


# A commit that is done, but whose answer is lost.


def rewinding_to_what_it_remembers(worker: Worker) -> None:
    inbox = worker._inbox

    def rewind() -> None:
        for (topic, partition), book in inbox.books.items():
            inbox._membership.consumer.seek(TopicPartition(topic, partition, book.next_offset))

    setattr(inbox, "rewind", rewind)  # noqa: B010 - as above


@pytest.mark.parametrize(
    ("alter", "found"),
    [
        pytest.param(as_it_is, set[str](), id="faithful"),
        pytest.param(rewinding_to_what_it_remembers, {"duplicated"}, id="positions from memory"),
    ],
)
def test_a_position_is_what_was_committed_and_not_what_a_worker_remembers(
    house: RelayFixture, alter: Callable[[Worker], None], found: set[str]
) -> None:
    publish(house, 600)
    worker = house.worker(cluster=AnswerLost(house.cluster), batch_events=200)
    alter(worker)
    with running(worker) as raised:
        house.wait_until_through()
    assert raised == []
    assert set(violations(house)) == found


# A zombie: a process that was stopped with a batch at hand, put out of its group, and goes on when another worker is
# through. By then its heartbeats have told it that it is no member.

ZOMBIE = """
import os, signal, sys, time
from pathlib import Path
from pipelines.broker import Cluster
from pipelines.relay import process
from pipelines.relay.steps import Step
from tests.relay import mutants
slept, folder = [], Path(sys.argv[2])
def watch(step):
    if step is Step.BEGUN and not slept:
        slept.append(step)
        (folder / "asleep").touch()
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(4)
    elif slept and step in {Step.RECOVERING, Step.COMMITTED}:
        (folder / step).touch()
def connect(bootstrap, properties):
    return getattr(mutants, sys.argv[1])(Cluster(bootstrap, properties))
sys.exit(process.main(sys.stdin.buffer, watch=watch, connect=connect))
"""


@pytest.mark.parametrize(
    ("zombie_on", "protocol", "found"),
    [
        (Altered, "classic", set[str]()),
        (InNobodysName, "classic", {"duplicated"}),
        (Altered, "consumer", set[str]()),
    ],
)
def test_a_zombie_that_awakes_with_a_batch_at_hand_commits_nothing_of_it(
    house: RelayFixture,
    tmp_path: Path,
    zombie_on: type[Altered],
    protocol: Literal["classic", "consumer"],
    found: set[str],
) -> None:
    publish(house, 600)
    with Launch((sys.executable, "-c", ZOMBIE, zombie_on.__name__, str(tmp_path))).process() as zombie:
        try:
            assert zombie.stdin is not None
            zombie.stdin.write(house.settings(0, batch_events=200, protocol=protocol).to_json() + b"\n")
            zombie.stdin.flush()
            until((tmp_path / "asleep").exists, "the zombie's sleep")
            with running(house.worker(slot=1, protocol=protocol)) as second:
                house.wait_until_through()
                zombie.send_signal(signal.SIGCONT)
                until(
                    lambda: (tmp_path / Step.RECOVERING).exists() or (tmp_path / Step.COMMITTED).exists(),
                    "the zombie's end of its batch",
                )
                house.wait_until_through()
        finally:
            zombie.kill()
    assert second == []
    assert set(violations(house)) == found


# Raw records expire while a worker is behind.


class Asleep:
    """Holds a worker at its first begun batch until it is woken."""

    def __init__(self) -> None:
        self.sleeping, self.awake = threading.Event(), threading.Event()

    def __call__(self, step: Step) -> None:
        if step is Step.BEGUN and not self.sleeping.is_set():
            self.sleeping.set()
            until(self.awake.is_set, "the end of the worker's sleep")


@pytest.mark.parametrize(("relay_on", "is_counted"), [(Altered, True), (Earliest, False)])
def test_records_that_expire_ahead_of_a_running_worker_are_counted_as_a_gap(
    house: RelayFixture, relay_on: type[Altered], is_counted: bool
) -> None:
    for _ in range(20):
        publish(house, 20)  # a record batch each, so that the client cannot have fetched them all
    asleep = Asleep()
    one_at_a_time = {"queued.min.messages": 1, "fetch.message.max.bytes": 1}
    worker = house.worker(watch=asleep, cluster=relay_on(house.cluster, one_at_a_time), batch_events=20)
    with running(worker) as raised:
        until(asleep.sleeping.is_set, "the worker's first batch")
        admin = AdminClient({"bootstrap.servers": house.cluster.bootstrap})
        for future in admin.delete_records([TopicPartition(house.raw_topic, 0, 390)]).values():
            future.result(CALL_S)
        asleep.awake.set()
        house.wait_until_through()
    assert raised == []
    book = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0]
    assert 0 < book.events_in < 390
    uncounted = 400 - book.events_in - book.gap
    assert (uncounted == 0) is is_counted


# Must pass: KIP-447's fencing is by group, so transactional ids need not be stable.


def stall_after_a_crash(house: RelayFixture, cluster: Any) -> tuple[float, float]:
    """The moments of a crash with offsets in an open transaction, and of when another worker was through."""
    crash = RuntimeError("a crash")

    def watch(step: Step) -> None:
        if step is Step.OFFSETS_SENT:
            raise crash

    publish(house, 600)
    with running(house.worker(watch=watch, cluster=cluster, batch_events=200)) as raised:
        until(lambda: raised, "the crash")
    assert raised == [crash]
    started = time.monotonic()
    with running(house.worker(cluster=cluster)) as raised:
        get_through(house, raised)
        through = time.monotonic()
    assert raised == []
    return started, through


def test_random_transactional_ids_are_as_exact_and_only_stall_for_the_transactions_timeout(
    house: RelayFixture, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "other").mkdir()
    other = build(tmp_path / "other", house.cluster, partitions=1)
    with calm() as sampled:
        stable = sampled.seconds(*stall_after_a_crash(other, Altered(other.cluster)))
        began, through = stall_after_a_crash(house, RandomIds(house.cluster))
    random = through - began
    record_property("stall", f"{stable:.1f} s with the slot's id, {random:.1f} s with a random one")
    outputs_are_exact(other)
    outputs_are_exact(house)
    # The one is short but for what the machine was short of CPU; the other lasts as the transaction's timeout does.
    assert stable < random
    assert random > TRANSACTION_TIMEOUT_MS / 1000 / 2
