"""Who takes a partition over ends the transaction of who held it before, and so waits for no timeout."""

from __future__ import annotations

import threading
import time

from structlog.testing import capture_logs

from pipelines.relay.accounting import committer
from pipelines.relay.steps import Step
from tests.support.calm import calm
from tests.support.exactness import outputs_are_exact
from tests.support.relay_fixture import RelayFixture, running
from tests.support.waiting import CALL_S, until


class DeathError(Exception):
    """What stands for a death: the worker's transaction stays open, and its static member in the group."""


def test_offsets_that_a_dead_worker_had_sent_hold_its_successor_up_no_longer_than_its_session(
    house: RelayFixture,
) -> None:
    sent, armed, steps = threading.Event(), threading.Event(), list[Step]()

    def die(step: Step) -> None:
        steps.append(step)
        if step is Step.OFFSETS_SENT and armed.is_set():
            sent.set()
            raise DeathError

    house.publish([house.ping(n) for n in range(60)])
    with running(house.worker(slot=1)) as alive:
        house.wait_until_through()
        with capture_logs() as lines, calm() as sampled:
            with running(house.worker(slot=0, watch=die)) as dead:
                # Both hold partitions, and each of those was committed by who holds it.
                def dies() -> bool:
                    if armed.is_set() and sent.wait(0.2):
                        return True
                    house.publish([house.ping(n) for n in range(30)])
                    if not armed.is_set() and committed_by_both(house):
                        armed.set()
                    return False

                until(dies, "a death with offsets that were sent", progress=lambda: steps.count(Step.COMMITTED))
            died_at = time.monotonic()
            house.wait_until_through()
            # Its transaction would last 30 s. What this machine was short of CPU is no wait of the relay's.
            assert sampled.seconds(died_at, time.monotonic()) < 20
    assert [type(each) for each in dead] == [DeathError]
    assert alive == []
    assert [line["slot"] for line in lines if line["event"] == "owner.fenced"] == ["test.0"]
    outputs_are_exact(house)


def committed_by_both(house: RelayFixture) -> bool:
    admin = house.cluster.admin(timeout_s=CALL_S)
    found = admin.committed(house.settings().group, [(house.raw_topic, number) for number in range(3)])
    return {committer(each.metadata) for each in found.values()} == {"test.0", "test.1"}
