"""The only broker is killed at a step of a worker's, and comes back; the worker's process lives through it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipelines.broker import EmbeddedKafka
from pipelines.relay.hanging import Hanging
from pipelines.relay.station import Station
from pipelines.relay.steps import Step, Watch
from pipelines.relay.waits import RelayLimits
from tests.support.exactness import everything_came_out_once, kept_or_missed_aloud
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.relaying import get_through
from tests.support.waiting import CALL_S, until

# Where the broker knows something else each time: some of the records; all of them; the offsets, too; the commit. (The
# other steps are as exact. Each costs the wait for the broker.)
STEPS = (Step.PRODUCING, Step.SENDING_OFFSETS, Step.COMMITTING, Step.COMMITTED)


@pytest.fixture
def broker(private_kafka: EmbeddedKafka) -> EmbeddedKafka:
    """The private broker, up again afterwards."""
    return private_kafka


@pytest.fixture
def house(tmp_path: Path, broker: EmbeddedKafka) -> RelayFixture:
    return build(tmp_path, broker.cluster)


def killing_at(step: Step, broker: EmbeddedKafka, killed: threading.Event, settle: Callable[[], object]) -> Watch:
    """Kill the broker when the second batch comes to the step; before that, `settle` what was committed."""
    seen = 0

    def watch(now: Step) -> None:
        nonlocal seen
        if now is Step.COMMITTED and not killed.is_set():
            settle()
        seen += now is step
        if now is step and seen == 2:
            broker.kill(1)
            killed.set()

    return watch


def markers(house: RelayFixture) -> None:
    """Wait until the markers of every commit that was acknowledged are written.

    A broker that dies in the milliseconds in which they are not may call the transaction complete without them
    (docs/decisions/0064), and no client can fix that.
    """
    places = [(house.raw_topic, number) for number in range(3)]
    admin = house.cluster.admin(timeout_s=CALL_S)
    admin.committed(house.settings().group, places)  # which waits for an open transaction
    station = Station(house.settings(), house.cluster, structlog.stdlib.get_logger())
    assert Hanging(station, [house.handled, house.loose, house.contract.quarantine.name], lambda: False).over()


@pytest.mark.parametrize("step", STEPS)
def test_a_broker_that_is_killed_at_any_step_and_comes_back_loses_and_doubles_nothing(
    house: RelayFixture, broker: EmbeddedKafka, step: Step
) -> None:
    raised = killed_at(step, house, broker, lambda: markers(house))
    if step is Step.SENDING_OFFSETS:
        # A broker that comes back may call the transaction that it died in ended without all of its markers
        # (KAFKA-20734), as in the test below. Then the worker must say so.
        kept_or_missed_aloud(house, raised, 661)
    else:
        assert raised == []
        everything_came_out_once(house, 661)


def test_a_commit_that_a_dying_broker_acknowledged_is_kept_or_missed_aloud(
    house: RelayFixture, broker: EmbeddedKafka
) -> None:
    raised = killed_at(Step.COMMITTED, house, broker, lambda: None, limits=RelayLimits(decided_s=10.0))
    kept_or_missed_aloud(house, raised, 661)


def killed_at(
    step: Step, house: RelayFixture, broker: EmbeddedKafka, settle: Callable[[], object], **settings: Any
) -> list[BaseException]:
    """Relay 661 events over a broker that is killed and comes back; what the worker raised."""
    house.publish([house.ping(n) for n in range(600)] + [house.ping(4_001)])
    killed = threading.Event()
    watch = killing_at(step, broker, killed, settle)
    with running(house.worker(watch=watch, batch_events=200, **settings)) as raised:
        until(killed.is_set, "the kill of the broker")
        broker.restart(1)
        house.publish([house.ping(n) for n in range(60)])
        get_through(house, raised)
    return raised
