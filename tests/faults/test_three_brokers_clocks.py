"""Three brokers whose clocks differ by minutes. What comes out stays exact and in order."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka, records
from tests.faults.quorum import wait_until_led_without
from tests.support.brokers import Brokers, Kind
from tests.support.exactness import everything_came_out_once
from tests.support.relay_fixture import build, running
from tests.support.skewed_clock import skewed_environments


@pytest.fixture
def skewed(broker_pool: Brokers, tmp_path: Path) -> EmbeddedKafka:
    """Three brokers, of which the first is 90 s behind and the second 90 s ahead."""
    environments = skewed_environments(tmp_path, {1: -90, 2: 90})
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
