"""Clocks that are wrong: a producer's, a worker's, one broker's of three. What comes out stays exact and in order."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipelines.broker import Cluster, EmbeddedKafka, headers_of, records
from pipelines.relay.audit import read_books
from tests.faults.quorum import leaders
from tests.support.exactness import everything_came_out_once
from tests.support.kafka import SHORT_TIMINGS
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.waiting import until

HOUR_S = 3600
# Moves CLOCK_REALTIME and gettimeofday, which is where a JVM's currentTimeMillis comes from; not CLOCK_MONOTONIC.
SKEWED_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long skew(void) { const char *text = getenv("SKEW_S"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) now->tv_sec += skew();
    return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static int (*real)(struct timeval *restrict, void *restrict);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    now->tv_sec += skew();
    return result;
}
"""


def relay(house: RelayFixture, now_is: float = 0.0) -> None:
    with running(house.worker(clock=lambda: time.time() + now_is)) as raised:
        house.wait_until_through()
    assert raised == []


def expired(house: RelayFixture) -> int:
    books = read_books(house.contract, house.cluster.admin()).values()
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


@pytest.fixture
def skewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Three brokers, of which the first is 90 s behind and the second 90 s ahead."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a broker's clock is moved by a shared library, and there is no C compiler to make it")
    folder = tmp_path_factory.mktemp("skewed")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(SKEWED_CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environments = {
        node_id: {"LD_PRELOAD": str(library), "SKEW_S": str(skew_s)} for node_id, skew_s in ((1, -90), (2, 90))
    }
    kafka = EmbeddedKafka(folder / "kafka", 3, SHORT_TIMINGS, environments=environments)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


def wait_until_led_without(brokers: EmbeddedKafka, house: RelayFixture, node_id: int) -> None:
    until(lambda: node_id not in leaders(brokers, house.raw_topic).values(), "the leaders move")


def test_broker_time_that_goes_back_and_forth_with_the_leaders_keeps_output_exact_and_in_order(
    tmp_path: Path, skewed: EmbeddedKafka
) -> None:
    house = build(tmp_path, skewed.cluster)
    sent = 100
    house.publish([house.ping(n) for n in range(sent)])
    with running(house.worker(batch_events=200)) as raised:
        house.wait_until_through()  # the group's own topic needs all three brokers when it is made
        for down in (1, 2, 3):
            skewed.kill(down)
            wait_until_led_without(skewed, house, down)
            house.publish([house.ping(n) for n in range(sent, sent + 600)])
            sent += 600
            skewed.restart(down)
        house.wait_until_through(240)
    assert raised == []
    everything_came_out_once(house, sent)
    times: dict[int, list[int]] = {}
    for message in records(house.cluster, house.raw_topic):
        times.setdefault(message.partition() or 0, []).append(message.timestamp()[1])
    # It did go back, by about as much as the clocks differ.
    assert min(after - before for each in times.values() for before, after in pairwise(each)) < -60_000
