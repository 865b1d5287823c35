from __future__ import annotations

from collections import Counter

import pytest

from pipelines.relay.steps import Step
from tests.faults.plan import ANYWHERE, IN_FLIGHT, PLACES, Wish, draw

WISH = Wish(events=1000, worker_kills=67, broker_kills=4, rebalances=9, zombies=11, delayed_commits=5)


def test_kills_are_spread_evenly_over_every_step_in_flight_and_anywhere() -> None:
    assert set(PLACES) == {*Step, IN_FLIGHT, ANYWHERE}
    plan = draw(WISH, workers=4, brokers=3, seed=7)
    places = Counter(fault.place for faults in plan.slots for fault in faults if fault.what == "kill")
    assert set(places) == set(PLACES)
    assert max(places.values()) - min(places.values()) <= 1


@pytest.mark.parametrize("workers", [2, 5])
def test_a_plan_has_all_that_is_asked_for_in_equal_shares(workers: int) -> None:
    plan = draw(WISH, workers=workers, brokers=3, seed=7)
    assert Counter(fault.what for faults in plan.slots for fault in faults) == {
        "kill": 67,
        "zombie": 11,
        "delayed-commit": 5,
    }
    assert sorted(fault.number for faults in plan.slots for fault in faults) == list(range(plan.faults))
    assert max(map(len, plan.slots)) - min(map(len, plan.slots)) <= 1
    assert plan.scalings == 9
    assert [broker in {1, 2, 3} for _, broker in plan.brokers] == [True] * 4
    assert [share for share, _ in plan.brokers] == [0.125, 0.375, 0.625, 0.875]


def test_a_seed_makes_a_plan_and_another_seed_another() -> None:
    one, again, other = (draw(WISH, workers=3, brokers=1, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_only_what_comes_from_another_thread_is_delayed() -> None:
    plan = draw(WISH, workers=3, brokers=1, seed=1)
    delayed = {fault.place for faults in plan.slots for fault in faults if fault.delay_ms}
    assert delayed == {IN_FLIGHT, ANYWHERE}
