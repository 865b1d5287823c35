"""The only broker is killed at a step of a worker's, and comes back; the worker's process lives through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka
from pipelines.relay.steps import Step, Watch
from tests.faults.flow import everything_came_out_once
from tests.relay.house import House, build, running

# Where the broker knows something else each time: some of the records; all of them; the offsets, too; the commit. (The
# other steps are as exact. Each costs the wait for the broker.)
STEPS = (Step.PRODUCING, Step.SENDING_OFFSETS, Step.COMMITTING, Step.COMMITTED)


@pytest.fixture
def broker(kafka: EmbeddedKafka) -> Iterator[EmbeddedKafka]:
    """The shared broker, up again afterwards."""
    yield kafka
    kafka.start()


@pytest.fixture
def house(tmp_path: Path, broker: EmbeddedKafka) -> House:
    return build(tmp_path, broker.cluster)


def killing_at(step: Step, house: House, broker: EmbeddedKafka, killed: threading.Event) -> Watch:
    """Kill the broker when the second batch comes to the step. Somebody else is to start it again.

    A transaction that was acknowledged is over by then, its markers written: a broker that dies in the milliseconds in
    which they are not may call it complete without them (docs/decisions/0064), and no client can mend that.
    """
    seen = 0

    def watch(now: Step) -> None:
        nonlocal seen
        if now is Step.COMMITTED and not killed.is_set():
            # Offsets of an open transaction are not told: whoever asks waits until it is over.
            places = [(house.raw_topic, number) for number in range(3)]
            house.cluster.admin(timeout_s=60).committed(house.settings().group, places)
        seen += now is step
        if now is step and seen == 2:
            broker.kill(1)
            killed.set()

    return watch


@pytest.mark.parametrize("step", STEPS)
def test_a_broker_that_is_killed_at_any_step_and_comes_back_loses_and_doubles_nothing(
    house: House, broker: EmbeddedKafka, step: Step
) -> None:
    house.publish([house.ping(n) for n in range(600)] + [house.ping(4_001)])
    killed = threading.Event()
    with running(house.worker(watch=killing_at(step, house, broker, killed), batch_events=200)) as raised:
        assert killed.wait(60)
        broker.restart(1)
        house.publish([house.ping(n) for n in range(60)])
        house.wait_until_through(120)
    assert raised == []
    everything_came_out_once(house, 661)
