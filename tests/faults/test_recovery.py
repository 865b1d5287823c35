"""Recovery: a worker that died is back soon, and one that met a fatal error goes on in its process. Exactly, each time.

Bounds are generous here; `python -m tests.faults.recovery` measures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.broker import Cluster
from pipelines.relay.steps import Step
from pipelines.relay.waits import RelayLimits
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from tests.faults.recovery import violations
from tests.faults.recovery_scene import Scene, trickling
from tests.faults.recovery_times import PLACES, restarts, takeovers
from tests.support.calm import calm
from tests.support.exactness import everything_came_out_once
from tests.support.kafka import MakeTopic, flushed
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.waiting import CALL_S, until

pytestmark = pytest.mark.broker

EVENTS = 600
SESSION_S = 6.0
# What a loaded machine may add to any wait.
NOISE_S = 20.0
SWEEP_S = 10.0


@pytest.fixture
def house(tmp_path: Path, cluster: Cluster) -> RelayFixture:
    return build(tmp_path / "house", cluster)


def scene_of(house: RelayFixture, folder: Path, log: int) -> Scene:
    settings = house.settings(session_timeout_ms=int(SESSION_S * 1000))
    return Scene(folder, house.contract, house.cluster, house.keyring, settings, log)


def test_a_killed_worker_is_back_soon_wherever_it_died(house: RelayFixture, tmp_path: Path) -> None:
    with (tmp_path / "workers.log").open("wb") as log:
        scene = scene_of(house, tmp_path, log.fileno())
        with trickling(scene), calm() as sampled:
            recoveries = restarts(scene, len(PLACES), every_s=0.5, seed=1)
        assert {one.place for one in recoveries} == {str(place) for place in PLACES}
        # In calm seconds: what the machine was short of CPU is no wait of the relay's, so the bounds hold under load.
        seconds = [one.calm_s(sampled) for one in recoveries]
        # A session's end cannot be what they waited for, or the fastest would be as slow.
        assert min(seconds) < SESSION_S
        assert max(seconds) < NOISE_S
        assert violations(scene) == {"reordered": 0}


@pytest.mark.parametrize("stop", [False, True], ids=["killed", "stopped"])
def test_another_worker_takes_over_when_the_session_ends(house: RelayFixture, tmp_path: Path, *, stop: bool) -> None:
    with (tmp_path / "workers.log").open("wb") as log:
        scene = scene_of(house, tmp_path, log.fileno())
        with trickling(scene), calm() as sampled:
            (taken,) = takeovers(scene, 1, stop=stop)  # the first place is one without an open transaction
        assert taken.calm_s(sampled) < SESSION_S + NOISE_S
        assert violations(scene) == {"reordered": 0}


def goes_on(house: RelayFixture, upset: Callable[[], None], cluster: Cluster | None = None) -> None:
    """Upset a worker in the middle of its work; the same one must bring everything through, each event once."""
    commits, interrupted = [0], [False]

    def watch(step: Step) -> None:
        if step is Step.COMMITTED:
            commits[0] += 1
        if step is Step.PRODUCED and commits[0] >= 2 and not interrupted[0]:
            interrupted[0] = True
            upset()

    house.publish([house.ping(number) for number in range(EVENTS)])
    with running(house.worker(watch=watch, batch_events=50, cluster=cluster)) as raised:
        until(lambda: interrupted[0] or raised, "the upset", progress=commits.copy)
        house.publish([house.ping(number) for number in range(EVENTS)])
        house.wait_until_through()
        assert raised == []
    assert interrupted == [True]
    everything_came_out_once(house, 2 * EVENTS)


def test_a_producer_that_was_fenced_once_is_replaced(house: RelayFixture) -> None:
    def fence() -> None:
        other = house.cluster.producer(**{"transactional.id": house.settings().slot_id})
        other.init_transactions(CALL_S)

    goes_on(house, fence)


def test_a_static_member_whose_place_was_taken_once_takes_it_back(house: RelayFixture) -> None:
    def fence() -> None:
        settings = house.settings()
        other = house.cluster.consumer(
            **{
                "group.id": settings.group,
                "group.instance.id": settings.slot_id,
                "session.timeout.ms": 2_000,
                "partition.assignment.strategy": "roundrobin",
            }
        )
        other.subscribe([house.raw_topic])

        def assigned() -> bool:
            other.poll(0.1)  # what it reads does not matter
            return bool(other.assignment())

        until(assigned, "the other's assignment")
        other.close()

    goes_on(house, fence)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_worker_that_did_not_poll_for_too_long_joins_again(house: RelayFixture, protocol: str) -> None:
    commits, slept = [0], [False]

    def watch(step: Step) -> None:
        commits[0] += step is Step.COMMITTED
        if step is Step.PRODUCED and commits[0] and not slept[0]:
            slept[0] = True
            time.sleep(9)

    house.publish([house.ping(number) for number in range(EVENTS)])
    with running(house.worker(watch=watch, max_poll_ms=6_000, batch_events=50, protocol=protocol)) as raised:
        house.wait_until_through()
        assert raised == []
    assert slept == [True]
    everything_came_out_once(house, EVENTS)


def test_a_worker_that_hangs_in_a_batch_and_still_sends_heartbeats_holds_nobody_up_for_long(
    house: RelayFixture,
) -> None:
    awake, hangs, held, taken_over = threading.Event(), threading.Event(), {"max_poll_ms": 6_000}, threading.Event()

    def hang(step: Step) -> None:
        if step is Step.PRODUCED and not hangs.is_set():
            hangs.set()
            until(awake.is_set, "the end of the hanging")

    def take_over(step: Step) -> None:
        if step is Step.COMMITTED:
            taken_over.set()

    house.publish([house.ping(number) for number in range(EVENTS)])
    with running(house.worker(watch=hang, batch_events=50, **held)) as first:
        try:
            until(hangs.is_set, "a batch that hangs")
            with running(house.worker(slot=1, watch=take_over, **held)) as second:
                # The other one hangs until this has happened: if it held the group up for as long, neither would.
                until(taken_over.is_set, "a commit while the other one hangs")
                awake.set()
                house.wait_until_through()
        finally:
            awake.set()
    assert first + second == []
    everything_came_out_once(house, EVENTS)


def test_who_may_still_commit_a_batch_is_not_put_out_of_the_group(house: RelayFixture) -> None:
    assert house.settings().max_poll_ms > TRANSACTION_TIMEOUT_MS + SWEEP_S * 1000


def test_a_transaction_that_nobody_ends_is_over_by_its_timeout_and_a_sweep(
    cluster: Cluster, make_topic: MakeTopic
) -> None:
    topic, timeout_s = make_topic(), 3.0
    limits = dict.fromkeys(("transaction.timeout.ms", "message.timeout.ms", "socket.timeout.ms"), int(timeout_s * 1000))
    hung = cluster.producer(**{"transactional.id": topic, **limits})
    hung.init_transactions(CALL_S)
    hung.begin_transaction()
    hung.produce(topic, b"synthetic")
    flushed(hung)
    began, admin = time.monotonic(), cluster.admin(timeout_s=CALL_S)

    def stable() -> bool:
        return admin.offsets([(topic, 0)], "latest", read_committed=True)[topic, 0].offset > 0

    with calm() as sampled:
        assert not stable()
        until(stable, "the end of the transaction")
        # In calm seconds: a broker that is short of CPU sweeps late, and its promise is not about that.
        assert sampled.seconds(began, time.monotonic()) < timeout_s + SWEEP_S


def test_a_worker_that_looks_before_every_batch_takes_over_from_one_that_hangs(
    house: RelayFixture,
) -> None:
    awake, armed, hangs, commits = threading.Event(), threading.Event(), threading.Event(), [0, 0]

    def hang(step: Step) -> None:
        commits[0] += step is Step.COMMITTED
        if step is Step.PRODUCED and armed.is_set() and not hangs.is_set():
            hangs.set()
            until(awake.is_set, "the end of the hanging")

    def go_on(step: Step) -> None:
        commits[1] += step is Step.COMMITTED

    held = {"max_poll_ms": 6_000, "batch_events": 20, "limits": RelayLimits(look="always")}
    other = house.worker(slot=1, watch=go_on, **held)
    with running(house.worker(watch=hang, **held)) as first, running(other) as second:

        def both() -> bool:
            house.publish([house.ping(number) for number in range(30)])
            return min(commits) > 0

        try:
            until(both, "both work", progress=commits.copy)
            armed.set()
            until(lambda: both() and hangs.is_set(), "one hangs with its transaction open", progress=commits.copy)
            house.publish([house.ping(number) for number in range(EVENTS)])
            # Who waits for the transaction polls meanwhile, or the group would wait for both.
            until(lambda: len(other._inbox.books) == 3, "the other has all partitions")
            house.wait_until_through()
        finally:
            awake.set()
    assert first + second == []
