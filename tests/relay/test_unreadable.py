"""Raw batches that the client cannot read, made by a real producer; raw data that expires under a running worker."""

import json
import time
from collections import Counter

import pytest

from pipelines.broker import AdminClient, TopicPartition
from pipelines.relay import metrics
from pipelines.relay.audit import read_books
from pipelines.relay.steps import Step
from tests.support.calm import calm
from tests.support.oracle import committed
from tests.support.relay_fixture import RelayFixture, running
from tests.support.relaying import crash_at
from tests.support.unreadable import publish_a_bomb, through
from tests.support.waiting import CALL_S, until


def notes_of(house: RelayFixture) -> Counter[tuple[int, int, str]]:
    _, notes = committed(house.contract, house.cluster)
    return Counter((note["partition"], note["offset"], note["code"]) for note in map(json.loads, notes))


def unreadable(*offsets: int, partition: int = 0) -> Counter[tuple[int, int, str]]:
    return Counter((partition, offset, "unreadable") for offset in offsets)


def test_an_unreadable_batch_is_quarantined_offset_by_offset_and_the_others_never_stand(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(4)], partition=0)
    publish_a_bomb(house, 0)
    house.publish([house.ping(n) for n in range(4)], partition=0)
    with calm() as sampled, running(house.worker()) as raised:
        for number in range(40):
            published_at = time.monotonic()
            house.publish([house.ping(number)], partition=1)
            until(lambda one=number: other(house) > one, "a commit of the other partition")
            # Giving a batch up takes longer. What this machine was short of CPU is no wait of the relay's.
            assert sampled.seconds(published_at, time.monotonic()) < 10
        house.wait_until_through()
    assert raised == []
    assert notes_of(house) == unreadable(4, 5, 6, 7)
    book = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0]
    assert (book.events_in, book.next_offset, book.imbalances()) == (12, 12, [])
    assert [(view.out, view.quarantined) for view in book.views.values()] == [(8, 4)] * 2
    assert metrics.QUARANTINED.labels(house.raw_topic, "unreadable")._value.get() == 4
    assert metrics.INPUT_ERRORS.labels(house.raw_topic, "_BAD_COMPRESSION")._value.get() >= 5


def other(house: RelayFixture) -> int:
    book = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)).get((house.raw_topic, 1))
    return book.next_offset if book else 0


def test_several_unreadable_batches_in_a_row_at_the_end_of_the_log_are_each_passed(house: RelayFixture) -> None:
    house.publish([house.ping(1)], partition=0)
    publish_a_bomb(house, 0, 4)
    publish_a_bomb(house, 0, 5)
    through(house)
    assert notes_of(house) == unreadable(*range(1, 10))
    book = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0]
    assert (book.events_in, book.next_offset, book.imbalances()) == (10, 10, [])


@pytest.mark.parametrize("step", [Step.PRODUCED, Step.COMMITTED])
def test_a_worker_that_dies_while_it_gives_a_batch_up_quarantines_each_offset_once(
    house: RelayFixture, step: Step
) -> None:
    publish_a_bomb(house, 0, 5)
    with running(house.worker(watch=crash_at(step, 1), batch_events=3)) as raised:
        until(lambda: raised, f"the crash at {step}")
    assert len(raised) == 1
    through(house)
    assert notes_of(house) == unreadable(0, 1, 2, 3, 4)


def delete_up_to(house: RelayFixture, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": house.cluster.bootstrap})
    for future in admin.delete_records([TopicPartition(house.raw_topic, 0, offset)]).values():
        future.result(CALL_S)


def test_what_expires_before_a_running_worker_reads_it_is_counted_and_passed_over(house: RelayFixture) -> None:
    """The partition stands at a batch that it cannot read, and the log's start passes it."""
    house.publish([house.ping(n) for n in range(5)], partition=0)
    with running(house.worker()) as raised:
        house.wait_until_through()
        publish_a_bomb(house, 0)
        house.publish([house.ping(n) for n in range(6)], partition=0)
        delete_up_to(house, 11)
        house.wait_until_through()
        until(lambda: metrics.GAP.labels(house.raw_topic)._value.get() >= 6, "six offsets in the count of gaps")
    assert raised == []
    book = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0]
    assert (book.events_in, book.gap, book.next_offset, book.imbalances()) == (9, 6, 15, [])
    assert notes_of(house) == Counter()
