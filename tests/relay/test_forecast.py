"""When raw data will be too old: the arithmetic, and a worker whose clock runs ahead."""

import threading
import time
from math import inf
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pipelines.broker import Cluster
from pipelines.relay import metrics
from pipelines.relay.audit import read_books
from pipelines.relay.backlog import Backlog, Behind, Standing
from pipelines.relay.forecast import SHARES, Ages, Alarm, Sample, seconds_until, slope
from pipelines.relay.steps import Step
from tests.support.relay_fixture import build, running
from tests.support.waiting import CALL_S, until

AGES = st.floats(0, 1e6)
TIMES = st.lists(st.integers(0, 10_000), min_size=2, max_size=30, unique=True).map(sorted)
PLACE = ("raw.synthetic.ping", 0)


@given(TIMES, AGES, st.floats(0.01, 1), AGES)
def test_an_age_that_grows_steadily_reaches_its_limit_when_the_line_says(
    times: list[int], start: float, growth: float, room: float
) -> None:
    samples = [Sample(at, start + growth * (at - times[0])) for at in times]
    limit = samples[-1].age_s + room
    assert abs(seconds_until(limit, samples) - room / growth) <= 1e-3 * (1 + room / growth)


@given(TIMES, st.data())
def test_whatever_the_samples_nothing_is_lost_sooner_than_time_passes(times: list[int], data: st.DataObject) -> None:
    samples = [Sample(at, data.draw(AGES)) for at in times]
    limit = data.draw(AGES)
    left = seconds_until(limit, samples)
    assert slope(samples) <= 1
    assert left >= max(0.0, limit - samples[-1].age_s)
    assert (left == 0) == (samples[-1].age_s >= limit)


@given(TIMES, AGES, st.floats(0, 10))
def test_an_age_that_falls_or_stays_never_reaches_a_limit_above_it(times: list[int], start: float, fall: float) -> None:
    samples = [Sample(at, max(0.0, start - fall * (at - times[0]))) for at in times]
    assert seconds_until(start + 1, samples) == inf


def test_one_sample_foretells_nothing() -> None:
    assert seconds_until(1, [Sample(0, 5)]) == inf


def test_a_pause_among_steady_growth_does_not_change_the_forecast() -> None:
    samples = [Sample(10 * n, 10 * n + (50 if n == 15 else 0)) for n in range(30)]
    assert seconds_until(1290, samples) == 1000


def test_the_partition_that_is_lost_first_decides_whatever_the_others_do() -> None:
    ages = Ages()
    for at in range(0, 100, 10):
        ages.add(at, [(("t", 0), 500.0 - at), (("t", 1), float(at)), (("u", 0), float(at))])
    assert ages.soonest("t", 1000) == 910
    ages.add(100, [(("t", 0), 400.0)])
    assert ages.soonest("t", 1000) == inf, "a partition that went away is forgotten"


def test_an_alarm_speaks_once_a_share_and_again_after_recovery() -> None:
    alarm, limit = Alarm(), 1000.0
    falling = [1000, 600, 490, 480, 700, 490, 240, 90, 20, 9, 5, 0, 0]
    assert [left for left in falling if alarm.hear(left, limit)] == [490, 240, 90, 9, 0]
    assert len(SHARES) == 4
    assert not alarm.hear(inf, limit)
    assert alarm.hear(400, limit)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 100)), min_size=1, max_size=40))
def test_the_reckoned_age_is_never_below_the_true_one(steps: list[tuple[int, int, int]]) -> None:
    backlog, appended, committed_to, now = Backlog(), list[int](), 0, 1_000
    backlog.look(now, {PLACE: Standing(0, 0, 0)})
    for arrive, commit, passes in steps:
        now += passes
        appended += [now] * arrive
        committed_to = min(len(appended), committed_to + commit)
        newest_ms = appended[committed_to - 1] * 1000 if committed_to else 0
        behind = backlog.look(now, {PLACE: Standing(committed_to, len(appended), newest_ms)})[PLACE]
        assert behind.events == len(appended) - committed_to
        if behind.events and committed_to:
            assert behind.seconds >= now - appended[committed_to]
        if not behind.events:
            assert behind.seconds == 0


def test_events_that_follow_the_markers_of_a_transaction_are_no_older_than_the_last_look_at_the_end() -> None:
    backlog, hour_ago_ms = Backlog(), (10_000 - 3600) * 1000
    backlog.look(9_000, {PLACE: Standing(10, 10, hour_ago_ms)})
    backlog.look(10_000, {PLACE: Standing(11, 11, hour_ago_ms)})  # read to the end, which is a marker
    assert backlog.look(10_005, {PLACE: Standing(10, 13, hour_ago_ms)})[PLACE] == Behind(3, 5)


def test_a_worker_that_lags_foretells_the_loss_before_anything_expires(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster, late="2h")
    house.publish([house.ping(n) for n in range(400)], partition=0)
    began, commits, looked = time.time(), 0, threading.Event()

    def clock() -> float:
        return began + 60 * commits  # time passes by work that is done, so it is the same on every machine

    def expired() -> int:
        books = read_books(house.contract, cluster.admin(timeout_s=CALL_S)).values()
        return sum(book.views[house.handled].expired for book in books)

    def warned() -> bool:
        return any(line["event"] == "lag.expiry_near" for line in lines)

    def watch(step: Step) -> None:
        nonlocal commits
        commits += step is Step.COMMITTED
        if step is Step.POLLED and warned():
            until(looked.is_set, "the look at what has expired")

    gauge, slow = metrics.EXPIRY_SECONDS.labels(house.raw_topic, house.handled), {"max_poll_ms": 600_000}
    with capture_logs() as lines, running(house.worker(clock=clock, watch=watch, batch_events=1, **slow)) as raised:
        try:
            until(warned, "a warning of the loss", progress=lambda: commits)
            assert expired() == 0
            soonest = gauge._value.get()
        finally:
            looked.set()
        until(expired, "an event that expired", progress=lambda: commits)
    assert raised == []
    assert 0 < soonest <= 3600
    near = [line for line in lines if line["event"] == "lag.expiry_near" and line["limit_of"] == house.handled]
    assert 1 <= len(near) <= len(SHARES)
    assert {line["log_level"] for line in near} == {"warning"}
    assert [line["log_level"] for line in lines if line["event"] == "lag.expiring"][:1] == ["error"]
