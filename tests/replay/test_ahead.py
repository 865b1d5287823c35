"""Events that were dated ahead of the clock, tried again: too early, and once their time has come. In memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.relay.audit import read_books
from pipelines.replay.engine import Outcome
from pipelines.replay.notes import Wish, gather, retries
from pipelines.replay.opening import open_replay
from pipelines.replay.task import Task
from tests.support.memory_kafka import MemoryCluster
from tests.support.relay_fixture import RelayFixture, build, running

HOUR_S = 3600


def retry(house: RelayFixture, now: float) -> Outcome:
    gathered = gather(house.contract, house.cluster, Wish())
    ((event, places),) = retries(house.contract, gathered, int(now * 1000)).items()
    return open_replay(house.settings(), house.contract, Task(event, places), "tests", clock=lambda: now).execute()


def test_an_event_that_was_ahead_is_retried_in_vain_until_its_time_has_come_and_then_comes_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_s = [2.0 * HOUR_S]
    house = build(tmp_path, MemoryCluster(clock=lambda: time.time() + ahead_s[0]))
    monkeypatch.setattr("pipelines.replay.opening.Cluster", lambda *_: house.cluster)
    house.publish([house.ping(1)], partition=0)
    ahead_s[0] = 0
    with running(house.worker(linger_ms=5, session_timeout_ms=200)) as raised:
        house.wait_until_through()
    assert raised == []
    book = read_books(house.contract, house.cluster.admin())[house.raw_topic, 0]
    assert book.views[house.handled].quarantined == 1
    early = retry(house, time.time()).tally.views[house.handled]
    assert (early.out, early.quarantined) == (0, 1)
    assert len(gather(house.contract, house.cluster, Wish()).notes) == 1
    ahead_s[0] = 2.1 * HOUR_S
    in_time = retry(house, time.time() + ahead_s[0]).tally.views[house.handled]
    assert (in_time.out, in_time.quarantined) == (1, 0)
    again = retry(house, time.time() + ahead_s[0] + 1).tally.views[house.handled]
    assert (again.out, again.already) == (0, 1)
