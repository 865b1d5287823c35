"""A worker on a real broker, in this process, so that time and failure can be moved by hand."""

import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from pipelines.broker import AdminClient, Cluster, TopicPartition
from pipelines.contract import load_valid
from pipelines.keys import Keyring
from pipelines.relay.audit import read_books
from pipelines.relay.steps import Step
from pipelines.relay.supervisor import Launch
from pipelines.relay.worker import Worker
from pipelines.trouble import Exit, Trouble
from tests.support.calm import calm
from tests.support.exactness import outputs_are_exact
from tests.support.oracle import committed
from tests.support.processes import ended
from tests.support.relay_fixture import TODAY, RelayFixture, build, running
from tests.support.relaying import breaks_off_and_is_followed, relay
from tests.support.waiting import CALL_S, until


def test_every_event_reaches_each_view_or_quarantine_exactly_once(house: RelayFixture) -> None:
    out_of_bounds, no_device = house.ping(4001), house.ping(1, device="")
    house.publish([house.ping(n) for n in range(3000)] + [out_of_bounds, no_device, b"not avro", b""])
    relay(house)
    outputs_are_exact(house)
    _, notes = committed(house.contract, house.cluster)
    assert len(notes) == 3


def test_the_consumer_group_protocol_relays_as_exactly(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(500)])
    with running(house.worker(protocol="consumer")) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_batches_that_the_brokers_find_too_large_become_smaller(house: RelayFixture) -> None:
    worker = house.worker()  # made before the limit, since a worker does not start under such a one
    house.publish([house.ping(n) for n in range(3000)])
    admin = house.cluster.admin(timeout_s=CALL_S)
    house.cluster.changer().set(house.handled, {"max.message.bytes": "8000"})
    until(lambda: admin.topic_configs([house.handled])[house.handled]["max.message.bytes"] == "8000", "the small limit")
    with pytest.raises(Trouble, match=r"max\.message\.bytes is 8000, at least 1000012 is needed") as refused:
        house.worker()
    assert refused.value.exit_code == Exit.REFUSED
    with running(worker) as raised:
        house.wait_until_through()
    assert raised == []
    outputs_are_exact(house)


def test_records_that_a_topic_refuses_for_their_time_go_through_once_it_takes_them(house: RelayFixture) -> None:
    """Each try is refused for that reason alone: a producer that goes on after it has a gap in its sequence numbers."""
    worker = house.worker()  # made before the limit, since a worker does not start under such a one
    limit, admin = "message.timestamp.before.max.ms", house.cluster.admin(timeout_s=CALL_S)
    usual = admin.topic_configs([house.handled])[house.handled][limit]

    def bound(ms: str) -> None:
        house.cluster.changer().set(house.handled, {limit: ms})
        until(lambda: admin.topic_configs([house.handled])[house.handled][limit] == ms, "the topic's limit")

    # A record's time is the beginning of its hour. Less than the markers of transactions need would refuse those, too.
    until(lambda: time.time() % 3600 > 15, "an hour that has begun")
    bound("10000")
    house.publish([house.ping(n) for n in range(500)])
    with capture_logs() as lines, running(worker) as raised:
        until(lambda: len(failures(lines)) >= 4, "batches that are refused")
        house.publish([house.ping(n) for n in range(500)])
        bound(usual)
        house.wait_until_through()
    assert raised == []
    assert set(failures(lines)) == {"INVALID_TIMESTAMP"}
    outputs_are_exact(house)


def failures(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why batches failed, in their order."""
    return [line["reason"] for line in list(lines) if line["event"] == "batch.failed"]


def test_two_workers_share_a_source_and_take_over_from_each_other(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(900)])
    with running(house.worker(slot=0, batch_events=50)) as first:
        with running(house.worker(slot=1, batch_events=50)) as second:
            house.publish([house.ping(n) for n in range(900)])
            house.wait_until_through()
        house.publish([house.ping(n) for n in range(300)])
        house.wait_until_through()
    assert first + second == []
    outputs_are_exact(house)


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
    breaks_off_and_is_followed(house, step)
    outputs_are_exact(house)


# A worker's process that is killed in its second rebalance, before it has handed anything over.
KILLED_HANDING_OVER = """
import os, signal, sys
from pipelines.relay.process import main
from pipelines.relay.supervisor import Launch
from pipelines.relay.steps import Step
rebalances = []
def watch(step):
    if step is Step.REBALANCING:
        rebalances.append(step)
        if len(rebalances) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main(sys.stdin.buffer, watch=watch))
"""


def test_a_worker_killed_while_it_hands_partitions_over_leaves_none_without_an_owner(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(300)])
    patient = {"session_timeout_ms": 30_000}  # so that only the restarted worker can bring its partitions back
    with Launch((sys.executable, "-c", KILLED_HANDING_OVER)).process() as first:
        assert first.stdin is not None
        first.stdin.write(house.settings(0, **patient).to_json() + b"\n")
        first.stdin.flush()
        house.wait_until_through()
        with running(house.worker(slot=1, **patient)) as second:
            assert ended(first, "the killed worker") == -signal.SIGKILL
            with running(house.worker(slot=0, **patient)) as again, calm() as sampled:
                began = time.monotonic()
                house.publish([house.ping(n) for n in range(300)])
                house.wait_until_through()
                # Sooner than the session ends, but for the time in which this machine was short of CPU.
                assert sampled.seconds(began, time.monotonic()) < 20
    assert second + again == []
    outputs_are_exact(house)


def test_an_event_that_is_too_late_for_a_view_is_counted_and_not_relayed(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster, late="2h")
    house.publish([house.ping(n) for n in range(10)])
    with running(house.worker(clock=lambda: time.time() + 3 * 3600)):
        house.wait_until_through()
    views = [book.views for book in read_books(house.contract, cluster.admin(timeout_s=CALL_S)).values()]
    assert sum(view[house.handled].expired for view in views) == 10
    assert sum(view[house.loose].out for view in views) == 10
    records, _ = committed(house.contract, cluster)
    assert {record.topic for record in records} == {house.loose}


def test_a_purpose_whose_review_expired_is_suspended_and_the_others_go_on(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster, review_expires="2026-11-03")
    house.publish([house.ping(n) for n in range(10)] + [b"not avro"])
    relay(house)
    views = [book.views for book in read_books(house.contract, cluster.admin(timeout_s=CALL_S)).values()]
    assert sum(view[house.handled].suspended for view in views) == 11
    assert sum(view[house.loose].out for view in views) == 10
    assert sum(view[house.loose].quarantined for view in views) == 1
    records, notes = committed(house.contract, cluster)
    assert {record.topic for record in records} == {house.loose}
    assert len(notes) == 1


def test_a_suspended_purpose_goes_on_when_its_review_is_renewed(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster, review_expires="2026-11-03")
    house.publish([house.ping(n) for n in range(10)])
    relay(house)
    purposes = tmp_path / "policies/purposes.yaml"
    purposes.write_text(purposes.read_text().replace("expires: 2026-11-03", "expires: 2099-01-01"))
    renewed = replace(house, contract=load_valid(tmp_path, as_of=TODAY))  # renewing asks for no other digest
    renewed.publish([house.ping(n) for n in range(10, 30)])
    relay(renewed)
    books = read_books(renewed.contract, cluster.admin(timeout_s=CALL_S))
    assert all(book.imbalances() == [] for book in books.values())
    views = [book.views for book in books.values()]
    assert sum(view[house.handled].suspended for view in views) == 10
    assert sum(view[house.handled].out for view in views) == 20
    assert sum(view[house.loose].out for view in views) == 30
    records, notes = committed(renewed.contract, cluster)
    assert Counter(record.topic for record in records) == {house.handled: 20, house.loose: 30}
    assert notes == []


def test_raw_records_that_expired_unread_are_counted_and_passed_over(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(30)], partition=0)
    relay(house)
    house.publish([house.ping(n) for n in range(20)], partition=0)
    admin = AdminClient({"bootstrap.servers": house.cluster.bootstrap})
    for future in admin.delete_records([TopicPartition(house.raw_topic, 0, 45)]).values():
        future.result(CALL_S)
    relay(house)
    book = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0]
    assert (book.events_in, book.gap, book.next_offset) == (35, 15, 50)
    assert book.imbalances() == []


def test_a_gap_is_committed_even_when_nothing_follows_it(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(5)], partition=0)
    relay(house)
    house.publish([house.ping(n) for n in range(5)], partition=0)
    admin = AdminClient({"bootstrap.servers": house.cluster.bootstrap})
    for future in admin.delete_records([TopicPartition(house.raw_topic, 0, 10)]).values():
        future.result(CALL_S)
    relay(house)
    assert read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))[house.raw_topic, 0].gap == 5


def test_an_offset_that_no_minimizer_committed_stops_the_worker(house: RelayFixture) -> None:
    house.publish([house.ping(1)], partition=0)
    consumer = house.cluster.consumer(**{"group.id": f"minimizer.{house.source}"})
    consumer.commit(offsets=[TopicPartition(house.raw_topic, 0, 1)], asynchronous=False)
    consumer.close()
    trouble = ends_in_trouble(house.worker())
    assert trouble.exit_code == Exit.REFUSED
    assert "foreign offset" in str(trouble)


def test_a_missing_key_stops_the_worker_before_it_sends_anything(house: RelayFixture) -> None:
    house.publish([house.ping(n) for n in range(10)])
    worker = replace(house, keyring=cast("Keyring", EmptyKeyring())).worker()
    assert ends_in_trouble(worker).exit_code == Exit.UNAVAILABLE
    assert committed(house.contract, house.cluster) == ([], [])
    assert read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)) == {}


def test_a_session_timeout_that_the_brokers_refuse_is_the_operators_trouble(house: RelayFixture) -> None:
    trouble = ends_in_trouble(house.worker(session_timeout_ms=100))
    assert trouble.exit_code == Exit.UNAVAILABLE
    assert "100 ms" in str(trouble)


class EmptyKeyring:
    """A keyring that has run out."""

    mark = ""

    def runway_ms(self, _purpose: object, _now_ms: int) -> int:
        return 0

    def subkeys_at(self, _purpose: object, _timestamp_ms: int) -> object:
        raise Trouble("no root", hint="make one")


def ends_in_trouble(worker: Worker) -> Trouble:
    with running(worker) as raised:
        until(lambda: raised, "the worker's end")
    assert isinstance(raised[0], Trouble)
    return raised[0]
