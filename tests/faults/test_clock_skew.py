"""Clocks that are wrong: a producer's, a worker's, a broker's. What comes out stays exact and in order."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from pipelines.broker import Cluster, EmbeddedKafka, headers_of, records
from pipelines.relay.audit import read_books
from pipelines.replay.notes import Wish, gather
from tests.support.brokers import Brokers, Kind
from tests.support.exactness import everything_came_out_once
from tests.support.kafka import SHORT_TIMINGS
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.skewed_clock import skewed_environments
from tests.support.waiting import CALL_S

HOUR_S = 3600


def relay(house: RelayFixture, now_is: float = 0.0) -> None:
    with running(house.worker(clock=lambda: time.time() + now_is)) as raised:
        house.wait_until_through()
    assert raised == []


def expired(house: RelayFixture) -> int:
    books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)).values()
    return sum(book.views[house.handled].expired for book in books)


def test_a_producers_clock_moves_nothing_but_the_time_inside_the_record(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster)
    years = (1, 1969, 2025, 2026, 2027, 9999)
    pings = [house.ping(n, occurred_at=datetime(year, 6, 1, tzinfo=UTC)) for year in years for n in range(20)]
    house.publish(pings)
    relay(house)
    everything_came_out_once(house, len(pings))
    out = list(records(cluster, house.handled))
    assert len(out) == len(pings)
    # All that says when it was and how long it may live comes from the broker's clock: one hour, or two at its turn.
    seen = {(message.timestamp()[1], dict(headers_of(message))["ce_expirytime"]) for message in out}
    assert 1 <= len(seen) <= 2


def test_a_worker_whose_clock_is_ahead_lets_events_expire_early_and_counts_them(
    tmp_path: Path, cluster: Cluster
) -> None:
    house = build(tmp_path, cluster, late="2h")
    house.publish([house.ping(n) for n in range(30)])
    relay(house, now_is=HOUR_S)
    assert expired(house) == 0
    house.publish([house.ping(n) for n in range(30)])
    relay(house, now_is=3 * HOUR_S)
    assert expired(house) == 30


def test_a_worker_whose_clock_is_behind_believes_the_brokers_and_says_so(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster)
    house.publish([house.ping(n) for n in range(30)])
    with capture_logs() as lines:
        relay(house, now_is=-HOUR_S)
    behind = [line["seconds"] for line in lines if line["event"] == "clock.behind"]
    assert len(behind) == 1
    assert HOUR_S - 60 < behind[0] <= HOUR_S
    everything_came_out_once(house, 30)


def test_one_record_from_a_broker_whose_clock_was_ahead_stops_nothing_once_the_clock_is_right(
    tmp_path: Path, broker_pool: Brokers
) -> None:
    ahead = broker_pool.private(Kind("ahead", environments=skewed_environments(tmp_path, {1: 2 * HOUR_S})))
    house = build(tmp_path / "house", ahead.cluster)
    house.publish([house.ping(1), b"not an event"], partition=0)
    (first, *_) = records(ahead.cluster, house.raw_topic)
    assert first.timestamp()[1] > (time.time() + HOUR_S) * 1000
    ahead.stop()
    right = EmbeddedKafka(ahead.folder, settings=SHORT_TIMINGS)
    right.start()
    try:
        house = replace(house, cluster=right.cluster)
        house.publish([house.ping(n) for n in range(300)])
        with capture_logs() as lines:
            relay(house)
        gathered = gather(house.contract, house.cluster, Wish())
        books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)).values()
    finally:
        right.stop()
    assert [line["event"] for line in lines if line["event"] in {"batch.failed", "clock.behind"}] == []
    assert [(each.note.offset, each.note.code) for each in gathered.notes] == [
        (0, "ahead_of_clock"),
        (1, "ahead_of_clock"),
    ]
    assert gathered.foreign == 0
    fates = [book.views[house.handled] for book in books]
    assert [sum(getattr(fate, kind) for fate in fates) for kind in ("out", "quarantined", "expired")] == [300, 2, 0]
