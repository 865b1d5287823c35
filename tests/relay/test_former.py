"""Who takes a partition over ends the transaction of who held it before, and so waits for no timeout."""

from __future__ import annotations

import threading

from structlog.testing import capture_logs

from pipelines.relay.accounting import committer
from pipelines.relay.steps import Step
from tests.support.exactness import outputs_are_exact
from tests.support.relay_fixture import RelayFixture, running


class DeathError(Exception):
    """What stands for a death: the worker's transaction stays open, and its static member in the group."""


def test_offsets_that_a_dead_worker_had_sent_hold_its_successor_up_no_longer_than_its_session(
    house: RelayFixture,
) -> None:
    sent, armed = threading.Event(), threading.Event()

    def die(step: Step) -> None:
        if step is Step.OFFSETS_SENT and armed.is_set():
            sent.set()
            raise DeathError

    house.publish([house.ping(n) for n in range(60)])
    with running(house.worker(slot=1)) as alive:
        house.wait_until_through()
        with capture_logs() as lines:
            with running(house.worker(slot=0, watch=die)) as dead:
                # Both hold partitions, and each of those was committed by who holds it.
                while not armed.is_set() or not sent.wait(0.2):
                    house.publish([house.ping(n) for n in range(30)])
                    if committed_by_both(house):
                        armed.set()
            house.wait_until_through(20)  # its transaction would last 30
    assert [type(each) for each in dead] == [DeathError]
    assert alive == []
    assert [line["slot"] for line in lines if line["event"] == "owner.fenced"] == ["test.0"]
    outputs_are_exact(house)


def committed_by_both(house: RelayFixture) -> bool:
    admin = house.cluster.admin()
    found = admin.committed(house.settings().group, [(house.raw_topic, number) for number in range(3)])
    return {committer(each.metadata) for each in found.values()} == {"test.0", "test.1"}
