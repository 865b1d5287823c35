"""A worker is given partitions whose offsets cannot be had at that moment: it asks again, in the same process."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipelines.broker import Cluster
from pipelines.relay.steps import Step
from pipelines.relay.waits import RelayLimits
from tests.support.exactness import everything_came_out_once
from tests.support.relay_fixture import build, running


def test_offsets_that_cannot_be_had_at_an_assignment_cost_the_consumer_and_not_the_process(
    tmp_path: Path, cluster: Cluster
) -> None:
    house, recovered = build(tmp_path, cluster), list[Step]()
    # The client's own timeout, inside its own callback. Real limits cannot be changed while a worker runs.
    limits: Any = SimpleNamespace(**{**asdict(RelayLimits()), "watermark_s": 1e-6})

    def watch(step: Step) -> None:
        if step is Step.RECOVERING:
            recovered.append(step)
            limits.watermark_s = 10.0

    house.publish([house.ping(n) for n in range(50)])
    with running(house.worker(watch=watch, limits=limits)) as raised:
        house.wait_until_through()
    assert raised == []
    assert recovered
    everything_came_out_once(house, 50)
