"""What a worker believes of the time, on the in-memory Kafka: clocks of brokers and of the worker that are wrong."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.relay.audit import read_books
from pipelines.relay.batch import Batch
from pipelines.relay.believed import BelievedTime
from pipelines.relay.outbox import Outbox
from pipelines.replay.notes import Wish, gather
from pipelines.topics.applying import create_missing
from tests.support.exactness import outputs_are_exact
from tests.support.memory_kafka import MemoryCluster
from tests.support.oracle import committed
from tests.support.relay_fixture import RelayFixture, build, running

QUICK = {"linger_ms": 5, "session_timeout_ms": 200, "batch_events": 50}
HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Hands:
    """A broker's clock that a test sets."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> RelayFixture:
    return build(tmp_path_factory.mktemp("contract"), MemoryCluster())


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def house(built: RelayFixture, hands: Hands) -> RelayFixture:
    """The contract on an in-memory cluster of the test's own, whose clock is `hands`."""
    cluster = MemoryCluster(clock=hands)
    create_missing(built.contract, cluster, "tests")
    return replace(built, cluster=cluster)


def relay(house: RelayFixture, ahead_s: float = 0.0) -> Counter[str]:
    """Relay all, by a worker whose clock is ahead by so much; the log's events, counted."""
    with capture_logs() as lines, running(house.worker(clock=lambda: time.time() + ahead_s, **QUICK)) as raised:
        house.wait_until_through()
    assert raised == []
    return Counter(str(line["event"]) for line in lines)


def publish(house: RelayFixture, count: int) -> None:
    house.publish([house.ping(number) for number in range(count)])


def fates(house: RelayFixture) -> tuple[int, int, int]:
    """Events that came out of the view with handles, were quarantined, and expired."""
    views = [book.views[house.handled] for book in read_books(house.contract, house.cluster.admin()).values()]
    return sum(view.out for view in views), sum(view.quarantined for view in views), sum(view.expired for view in views)


def codes(house: RelayFixture) -> list[tuple[str, str | None]]:
    return [(each.note.code, each.note.view) for each in gather(house.contract, house.cluster, Wish()).notes]


@pytest.mark.parametrize("ahead_s", [2 * HOUR_S, 25 * HOUR_S, 400 * DAY_S])
@pytest.mark.parametrize("is_valid", [True, False])
def test_one_event_from_a_broker_whose_clock_was_ahead_stops_and_expires_no_other(
    house: RelayFixture, hands: Hands, ahead_s: float, is_valid: bool
) -> None:
    hands.ahead_s = ahead_s
    house.publish([house.ping(1) if is_valid else b"not an event"], partition=0)
    hands.ahead_s = 0
    publish(house, 300)
    log = relay(house)
    assert log["batch.failed"] == log["clock.behind"] == 0
    assert log["input.ahead"] == 1
    publish(house, 300)
    relay(house)
    assert fates(house) == (600, 1, 0)
    assert codes(house) == [("ahead_of_clock", None)]


@pytest.mark.parametrize("behind_s", [50, HOUR_S, 30 * HOUR_S])
def test_a_worker_whose_clock_is_behind_loses_nothing(house: RelayFixture, behind_s: float) -> None:
    publish(house, 300)
    log = relay(house, -behind_s)
    assert log["clock.behind"] == (behind_s > 60)
    assert fates(house) == (300, 0, 0)
    outputs_are_exact(house)


def test_a_worker_whose_clock_is_behind_still_quarantines_what_is_ahead_of_the_brokers(
    house: RelayFixture, hands: Hands
) -> None:
    hands.ahead_s = 2 * HOUR_S
    house.publish([house.ping(1)], partition=0)
    hands.ahead_s = 0
    publish(house, 300)
    assert relay(house, -HOUR_S)["batch.failed"] == 0
    assert fates(house) == (300, 1, 0)


def test_a_worker_whose_clock_is_behind_finds_out_that_a_backlog_is_too_old(house: RelayFixture, hands: Hands) -> None:
    publish(house, 30)
    hands.ahead_s = 27 * HOUR_S
    log = relay(house, 16 * HOUR_S)  # by its clock the events are younger than `late`, and brokers refuse their times
    assert log["batch.failed"] == log["clock.behind"] == 1
    assert fates(house) == (0, 0, 30)
    assert committed(house.contract, house.cluster) == ([], [])


def test_events_of_a_broker_whose_clock_stays_a_little_ahead_come_out(
    house: RelayFixture, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Outbox] = []
    monkeypatch.setattr(Outbox, "brokers_ms", lambda outbox: asked.append(outbox) or int(time.time() * 1000))
    hands.ahead_s = 90
    with running(house.worker(**QUICK)) as raised:
        for _ in range(5):
            publish(house, 60)
            house.wait_until_through()
    assert raised == []
    assert fates(house) == (300, 0, 0)
    assert len(asked) == 1


def test_nothing_is_quarantined_as_ahead_before_a_broker_has_told_its_time(
    house: RelayFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, None])
    ask = Outbox.brokers_ms
    monkeypatch.setattr(Outbox, "brokers_ms", lambda outbox: next(answers, ask(outbox)))
    publish(house, 30)
    relay(house, -HOUR_S)
    assert next(answers, "asked") == "asked"
    outputs_are_exact(house)
    assert codes(house) == []


def test_asking_a_broker_for_its_time_leaves_nothing_for_readers(house: RelayFixture) -> None:
    publish(house, 3)
    relay(house, -HOUR_S)
    gathered = gather(house.contract, house.cluster, Wish())
    assert (gathered.notes, gathered.foreign) == ((), 0)


# The rule itself.


class Times:
    """A worker's clock, its monotonic clock and a broker's, in seconds."""

    def __init__(self) -> None:
        self.local = self.broker = 1_000_000.0
        self.monotonic = 0.0
        self.asked = 0
        self.answers = True

    def believed(self) -> BelievedTime:
        def ask() -> int | None:
            self.asked += 1
            return int(self.broker * 1000) if self.answers else None

        log = structlog.stdlib.get_logger()
        return BelievedTime(lambda: self.local, ask, "probe", log, lambda: self.monotonic)

    def go_on(self, seconds: float) -> None:
        self.local += seconds
        self.broker += seconds
        self.monotonic += seconds


def test_without_an_answer_a_worker_believes_its_own_clock() -> None:
    times = Times()
    believed = times.believed()
    assert (believed.now_ms(), believed.due(), times.asked) == (1_000_000_000, False, 0)


def test_an_answer_ages_with_time_and_not_with_a_clock_that_is_set() -> None:
    times = Times()
    times.broker += HOUR_S
    believed = times.believed()
    assert believed.ask()
    times.go_on(30)
    times.local -= 7 * HOUR_S
    assert believed.now_ms() == int(times.broker * 1000)


def test_a_broker_that_was_wrong_is_believed_for_a_minute() -> None:
    times = Times()
    times.broker += HOUR_S
    believed = times.believed()
    believed.ask()
    times.broker = times.local
    times.go_on(59)
    assert not believed.due()
    times.go_on(2)
    assert believed.due()
    believed.ask()
    assert (believed.now_ms(), believed.due()) == (int(times.local * 1000), False)


def test_a_worker_that_agrees_with_the_brokers_does_not_ask_again() -> None:
    times = Times()
    believed = times.believed()
    believed.ask()
    times.go_on(HOUR_S)
    assert not believed.due()


@pytest.mark.parametrize(
    ("moved_s", "ahead", "since_s", "asks"),
    [
        (60, 0, None, False),
        (61, 0, None, True),
        (61, 0, 60, False),
        (61, 0, 61, True),
        (0, 1, None, True),
        (0, 1, 5, False),
        (0, 1, 6, True),
    ],
)
def test_an_event_is_quarantined_by_an_answer_of_the_last_seconds_and_others_ask_once_a_minute(
    moved_s: int, ahead: int, since_s: int | None, asks: bool
) -> None:
    times = Times()
    believed = times.believed()
    if since_s is not None:
        believed.ask()
        times.go_on(since_s)
    batch = Batch(believed.now_ms())
    batch.now_ms += moved_s * 1000
    batch.ahead = ahead
    assert believed.must_ask(batch) is asks


def test_a_refused_time_makes_a_worker_ask_until_it_is_answered() -> None:
    times = Times()
    believed = times.believed()
    believed.doubt()
    times.answers = False
    assert believed.due()
    assert not believed.ask()
    assert believed.due()
    times.answers = True
    assert believed.ask()
    assert not believed.due()


@pytest.mark.parametrize(
    ("by_s", "said"), [(-61, "clock.ahead"), (-59, None), (0, None), (59, None), (61, "clock.behind")]
)
def test_a_clock_that_is_wrong_by_more_than_the_slack_is_said_once(by_s: float, said: str | None) -> None:
    times = Times()
    times.broker += by_s
    believed = times.believed()
    with capture_logs() as lines:
        believed.ask()
        believed.ask()
    assert [line["event"] for line in lines] == ([said] if said else [])
