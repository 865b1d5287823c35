"""A worker is given partitions whose offsets cannot be had at that moment: it asks again, in the same process."""

from pathlib import Path

import pytest

from pipelines.broker import Cluster
from pipelines.relay import positions
from pipelines.relay.steps import Step
from tests.support.exactness import everything_came_out_once
from tests.support.relay_fixture import build, running


def test_offsets_that_cannot_be_had_at_an_assignment_cost_the_consumer_and_not_the_process(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, recovered = build(tmp_path, cluster), list[Step]()
    monkeypatch.setattr(positions, "_WATERMARK_WAIT_S", 1e-6)  # the client's own timeout, inside its own callback

    def watch(step: Step) -> None:
        if step is Step.RECOVERING:
            recovered.append(step)
            monkeypatch.undo()

    house.publish([house.ping(n) for n in range(50)])
    with running(house.worker(watch=watch)) as raised:
        house.wait_until_through()
    assert raised == []
    assert recovered
    everything_came_out_once(house, 50)
