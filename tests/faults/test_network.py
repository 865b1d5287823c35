"""Workers behind a bad network: slow, cut, stalled. They go on by themselves, and what comes out is exact.

The workers are real processes; `flowing` shows in the end that none had to be restarted and that nothing is lost,
duplicated or out of order. Each test also shows that its fault was felt.
"""

import random
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.broker import Cluster
from pipelines.relay.settings import WorkerSettings
from tests.faults.flow import Flow, flowing
from tests.faults.proxy import Proxy
from tests.support.kafka import has_no_members
from tests.support.relay_fixture import RelayFixture, build
from tests.support.waiting import until


@dataclass(frozen=True, slots=True)
class Behind(RelayFixture):
    """A house whose workers go through the proxy, while its producers and readers do not."""

    front: str

    def settings(self, slot: int = 0, **changes: Any) -> WorkerSettings:
        return replace(RelayFixture.settings(self, slot, **changes), bootstrap=self.front)


@pytest.fixture
def house(tmp_path: Path, direct: Cluster, through: Cluster) -> Behind:
    built = build(tmp_path, direct)
    return Behind(**{each.name: getattr(built, each.name) for each in fields(built)}, front=through.bootstrap)


def logged(flow: Flow, event: str) -> list[dict[str, Any]]:
    return [line for line in flow.lines() if line["event"] == event]


@pytest.mark.parametrize(("seconds", "batches"), [(0.1, 3), pytest.param(1.0, 2, marks=pytest.mark.long)])
def test_a_slow_network_only_slows_the_relay(house: Behind, proxy: Proxy, seconds: float, batches: int) -> None:
    """A batch is at least a dozen times as long on its way; the longest takes half a minute."""
    with flowing(house, workers=1) as flow:
        proxy.delay(seconds)
        started = time.monotonic()
        flow.wait_for_commits(started, batches)
        assert flow.stood_s(started) > 12 * seconds
        proxy.delay(0)
        flow.wait_for_commits()


def test_connections_that_are_cut_by_the_dozen_are_made_anew(house: Behind, proxy: Proxy) -> None:
    chance = random.Random(17)
    with flowing(house, workers=2) as flow:
        for _ in range(36):
            time.sleep(chance.uniform(0.0, 1.0))
            proxy.cut()
        flow.wait_for_commits()
    assert logged(flow, "producer.replaced")


@pytest.mark.parametrize("seconds", [8.0, pytest.param(35.0, marks=pytest.mark.long)])
def test_a_network_that_stands_still_longer_than_anything_may_take_is_survived(
    house: Behind, proxy: Proxy, seconds: float
) -> None:
    """Sessions last 6 s here, requests 10 s, transactions 30 s."""
    with flowing(house, workers=2) as flow:
        proxy.stall(True)
        time.sleep(seconds)
        # A broker that is short of CPU puts a silent member out late.
        until(lambda: has_no_members(house.cluster, house.settings().group), "a group that put its members out")
        proxy.stall(False)
        flow.wait_for_commits()
    assert {line["worker"] for line in logged(flow, "partitions.lost")} == {
        house.settings(slot).slot_id for slot in range(2)
    }
