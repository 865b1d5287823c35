"""Three brokers whose clocks differ by minutes. What comes out stays exact and in order."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka, records
from tests.faults.quorum import wait_until_led_without
from tests.support.brokers import Brokers, Kind
from tests.support.exactness import everything_came_out_once
from tests.support.relay_fixture import build, running

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


@pytest.fixture
def skewed(broker_pool: Brokers, tmp_path: Path) -> EmbeddedKafka:
    """Three brokers, of which the first is 90 s behind and the second 90 s ahead."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a broker's clock is moved by a shared library, and there is no C compiler to make it")
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(SKEWED_CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environments = {
        node_id: {"LD_PRELOAD": str(library), "SKEW_S": str(skew_s)} for node_id, skew_s in ((1, -90), (2, 90))
    }
    return broker_pool.private(Kind("skewed", 3, environments=environments))


def test_broker_time_that_goes_back_and_forth_with_the_leaders_keeps_output_exact_and_in_order(
    tmp_path: Path, skewed: EmbeddedKafka
) -> None:
    house = build(tmp_path / "house", skewed.cluster)
    sent = 100
    house.publish([house.ping(n) for n in range(sent)])
    with running(house.worker(batch_events=200)) as raised:
        house.wait_until_through()  # the group's own topic needs all three brokers when it is made
        for down in (1, 2, 3):
            skewed.kill(down)
            wait_until_led_without(skewed, house.raw_topic, down)
            house.publish([house.ping(n) for n in range(sent, sent + 600)])
            sent += 600
            skewed.restart(down)
        house.wait_until_through()
    assert raised == []
    everything_came_out_once(house, sent)
    times: dict[int, list[int]] = {}
    for message in records(house.cluster, house.raw_topic):
        times.setdefault(message.partition() or 0, []).append(message.timestamp()[1])
    # It did go back, by about as much as the clocks differ.
    assert min(after - before for each in times.values() for before, after in pairwise(each)) < -60_000
