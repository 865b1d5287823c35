"""The report: a fault that did not happen fails a run as much as a violation does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.deeds import Death, Deeds
from tests.faults.orders import Desk, Line, Order, Trail, TrailReader
from tests.faults.plan import PLACES
from tests.faults.report import Done, Outage, Recoveries, Report, quantiles, recoveries, said
from tests.faults.verdict import Verdict

ASKED = {"events": 100, "worker_kills": 13, "broker_kills": 1, "rebalances": 2, "zombies": 1, "delayed_commits": 1}


def report() -> Report:
    done = Done(
        worker_kills=dict.fromkeys(PLACES, 1),
        in_flight_hit=1,
        broker_kills=1,
        scalings=2,
        zombies=1,
        delayed_commits=1,
        delayed_answers={"47": 1},
        undone=[],
        recoveries=Recoveries((1.0,), ()),
        rebalances=2,
        events=100,
    )
    return Report(ASKED, done, Verdict(), {}, {"brokers": 1, "seed": 3, "control": None}, 1.0, 2.0)


def test_a_run_in_which_all_was_done_and_nothing_found_has_passed() -> None:
    assert report().passed
    assert report().to_dict()["passed"] is True
    command = "python -m tests.faults --events 100 --worker-kills 13 --broker-kills 1 --rebalances 2 --zombies 1"
    assert report().command == f"{command} --delayed-commits 1 --brokers 1 --seed 3"


def _killed_one_less(done: Done) -> None:
    done.worker_kills["polled"] = 0


def _fewer_events(done: Done) -> None:
    done.events = 99


def _no_broker(done: Done) -> None:
    done.broker_kills = 0


def _no_rebalance(done: Done) -> None:
    done.rebalances = 1


def _no_zombie(done: Done) -> None:
    done.zombies = 0


def _no_delayed_commit(done: Done) -> None:
    done.delayed_commits = 0


def _stood_still(done: Done) -> None:
    done.behind = 1


def _never_came_back(done: Done) -> None:
    done.recoveries = Recoveries((), (), unfinished=1)


@pytest.mark.parametrize(
    "doctor",
    [
        _killed_one_less,
        _fewer_events,
        _no_broker,
        _no_rebalance,
        _no_zombie,
        _no_delayed_commit,
        _stood_still,
        _never_came_back,
    ],
)
def test_less_than_was_asked_for_fails_the_run(doctor: Callable[[Done], None]) -> None:
    doctored = report()
    doctor(doctored.done)
    assert not dataclasses.replace(doctored).passed


@pytest.mark.parametrize("kind", [field.name for field in dataclasses.fields(Verdict)])
def test_each_kind_of_violation_fails_the_run(kind: str) -> None:
    doctored = report()
    setattr(doctored.verdict, kind, 1)
    assert doctored.verdict.violations == 1
    assert not doctored.passed
    assert doctored.to_dict()[kind] == 1


@pytest.mark.parametrize("event", ["worker.crashed", "log.unknown"])
def test_a_worker_that_crashed_by_itself_fails_the_run(event: str) -> None:
    doctored = report()
    doctored.log[event] = 1
    assert not doctored.passed


def test_the_report_says_of_which_kind_and_where_a_worker_crashed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'{"event": "worker.crashed", "kind": "KeyError", "place": "loop.py:7"}\n{"event": "worker.\n')
    assert said(log) == {
        "not JSON": 1,
        "worker.crashed": 1,
        "worker.crashed KeyError": 1,
        "worker.crashed loop.py:7": 1,
    }


def test_a_recovery_lasts_from_a_death_to_the_slots_next_first_commit() -> None:
    deeds = Deeds.__new__(Deeds)
    deeds.deaths = [
        Death(10.0, 0, "polled", "polled"),
        Death(30.0, 0, "begun", "begun"),
        Death(50.0, 1, "polled", "polled"),
    ]
    lines = [
        Line(9.0, 0, 1, "committed", -1, "committed"),
        Line(10.5, 1, 2, "committed", -1, "committed"),  # another slot's
        Line(11.0, 0, 3, "started", -1, "-"),
        Line(11.5, 0, 3, "committed", -1, "committed"),
        Line(37.0, 0, 4, "committed", -1, "committed"),
    ]
    found = recoveries([deeds], [Outage(29.0, 31.0)], lines)
    assert found == Recoveries((1.5,), (7.0,), 1, {"polled": [1.5]})


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantiles([]) == {"n": 0}
    assert quantiles([2.0]) == {"p50": 2.0, "p95": 2.0, "max": 2.0, "n": 1}
    assert quantiles([float(n) for n in range(100, 0, -1)]) == {"p50": 50.0, "p95": 95.0, "max": 100.0, "n": 100}


def test_the_log_is_counted_by_event_and_reason(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '{"event":"batch.failed","reason":"_FENCED"}\n{"event":"batch.failed","reason":"_FENCED"}\nTraceback\n'
    )
    assert said(log) == {"batch.failed": 2, "batch.failed _FENCED": 2, "not JSON": 1}


def test_an_order_is_taken_once_and_can_be_recalled_until_then(tmp_path: Path) -> None:
    desk, order = Desk(tmp_path), Order(3, "die", "polled", 2, 0.5)
    assert desk.take(0) is None
    desk.give(0, order)
    assert desk.take(1) is None
    assert desk.take(0) == order
    assert desk.take(0) is None
    assert not desk.recall(0)
    desk.give(0, order)
    assert desk.recall(0)
    assert desk.take(0) is None


def test_a_trail_is_read_line_by_line_also_when_a_line_is_half_there(tmp_path: Path) -> None:
    file = tmp_path / "trail"
    trail = Trail(file, 2)
    with TrailReader(file) as reader:
        trail.say("dies", 7, "begun")
        with file.open("a") as half:
            half.write("1.0 2 3 sta")
        [line] = reader.news()
        assert (line.slot, line.said, line.number, line.step) == (2, "dies", 7, "begun")
        with file.open("a") as half:
            half.write("rted -1 -\n")
        assert reader.news() == [Line(1.0, 2, 3, "started", -1, "-")]
