"""The fault harness as a whole: its command, run as a person runs it, and at its full size by `make test-long`."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

import orjson
import pytest

from pipelines.minimize import compiled
from pipelines.relay.steps import Step
from tests.faults.controls import CONTROLS, GUARD_OFF, OFFSETS_OUTSIDE, READ_UNCOMMITTED
from tests.faults.crew import ROOT
from tests.faults.plan import ANYWHERE, IN_FLIGHT, PLACES
from tests.support.processes import completed

EVENTS = int(os.environ.get("PIPELINES_FAULT_EVENTS", "10000"))
FULL = EVENTS >= 100_000
LIMIT_S = 3_600.0
KILLS = 65 if FULL else len(PLACES)
ASKED = {
    "events": EVENTS,
    "worker_kills": KILLS,
    "broker_kills": 3 if FULL else 1,
    "rebalances": 8 if FULL else 3,
    "zombies": 4 if FULL else 1,
    "delayed_commits": 3 if FULL else 1,
}
VIOLATIONS = (
    "lost",
    "duplicated",
    "reordered",
    "aborted_visible",
    "unseen",
    "unexplained",
    "offset_regressions",
    "accounting_errors",
    "not_in_raw",
    "undecodable_commits",
    "crashes",
)

pytestmark = [pytest.mark.brokers(1), pytest.mark.timeout(LIMIT_S + 60), pytest.mark.scaled]


def harness(*arguments: str, **counts: int) -> tuple[int, dict[str, Any], bytes]:
    """Exit code, report, standard error."""
    flags = [text for name, count in counts.items() for text in (f"--{name.replace('_', '-')}", str(count))]
    command = [sys.executable, "-m", "tests.faults", *arguments, *flags, "--json"]
    ended = completed(command, cwd=ROOT, limit_s=LIMIT_S)
    assert ended.returncode in {0, 1}, ended.stderr.decode()
    return ended.returncode, orjson.loads(ended.stdout), ended.stderr


@cache
def the_run() -> tuple[int, dict[str, Any], bytes]:
    return harness("--workers", "4", **ASKED)


def test_under_faults_every_event_comes_out_exactly_once_in_order_and_in_the_books() -> None:
    exit_code, report, _ = the_run()
    assert {kind: report[kind] for kind in VIOLATIONS} == dict.fromkeys(VIOLATIONS, 0), report["log"]
    assert (exit_code, report["passed"]) == (0, True), report


def test_every_fault_that_was_asked_for_happened_and_workers_died_at_every_step() -> None:
    _, report, _ = the_run()
    assert report["shortfalls"] == {}
    assert report["not_done"] == []
    assert {name: report[name] >= count for name, count in ASKED.items()} == dict.fromkeys(ASKED, True)
    by_step = report["worker_kills_by_step"]
    assert set(by_step) == {*Step, IN_FLIGHT, ANYWHERE}
    assert min(by_step.values()) >= KILLS // len(PLACES)


def test_every_killed_worker_was_followed_by_one_that_committed() -> None:
    _, report, _ = the_run()
    followed = report["recovery_s"]["n"] + report["recovery_with_outage_s"]["n"]
    assert report["never_recovered"] == 0
    assert followed == KILLS + report["delayed_commits"]


def test_the_workers_walk_as_this_installation_does() -> None:
    _, report, _ = the_run()
    walks = {line for line in report["log"] if line.startswith("worker.started ")}
    assert walks == {f"worker.started {'compiled' if compiled() else 'pure'}"}


def test_a_report_names_no_event() -> None:
    _, report, errors = the_run()
    for said in (orjson.dumps(report), errors):
        assert b"synthetic-device" not in said
        assert b"synthetic-event" not in said
        assert b"SYNTHETIC-SECRET" not in said


# What each control must show. With the guard off, only a late commit within the next transaction does harm.
MUST_SHOW = {
    OFFSETS_OUTSIDE: {"worker_kills": len(PLACES), "delayed_commits": 0, "zombies": 0},
    GUARD_OFF: {"worker_kills": 0, "delayed_commits": 4, "zombies": 0},
    READ_UNCOMMITTED: {"worker_kills": len(PLACES), "delayed_commits": 0, "zombies": 0},
}
HARM = {OFFSETS_OUTSIDE: {"lost"}, GUARD_OFF: {"duplicated"}, READ_UNCOMMITTED: {"aborted_visible"}}


@pytest.mark.long
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_run_finds_the_fault_that_was_put_in(control: str) -> None:
    counts = {"events": 5_000, "broker_kills": 0, "rebalances": 0, **MUST_SHOW[control]}
    exit_code, report, _ = harness("--control", control, "--workers", "4", **counts)
    assert exit_code == 1
    assert report["shortfalls"] == {}, "the faults must happen for the control to show anything"
    found = {kind for kind in VIOLATIONS if report[kind]}
    assert found >= HARM[control], report
