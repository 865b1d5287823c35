"""Durations without the time in which the machine was short of CPU, and waits for processes that work."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.support.calm import Calm, calm
from tests.support.fixtures import pytest_runtest_call
from tests.support.processes import completed, cpu_of, ended
from tests.support.waiting import StalledError, until


class Machine:
    """A clock, and how long something has waited for a CPU by then."""

    def __init__(self) -> None:
        self.now = self.short = 0.0

    def run(self, seconds: float, *, starved: float = 0.0) -> None:
        self.now += seconds
        self.short += starved


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def sampled(machine: Machine) -> Calm:
    return Calm(lambda: machine.now, lambda: machine.short)


def test_on_an_idle_machine_calm_seconds_are_the_clocks(machine: Machine, sampled: Calm) -> None:
    machine.run(20)
    assert sampled.seconds(0, 20) == 20
    assert sampled.seconds(5, 10) == 5


def test_what_was_starved_is_taken_away_where_it_was(machine: Machine, sampled: Calm) -> None:
    machine.run(10)
    sampled.sample()
    machine.run(10, starved=8)
    sampled.sample()
    machine.run(10)
    assert sampled.seconds(0, 30) == pytest.approx(22)
    assert sampled.seconds(0, 10) == pytest.approx(10)
    assert sampled.seconds(10, 20) == pytest.approx(2)
    assert sampled.seconds(15, 25) == pytest.approx(6)  # half of the starved ten seconds, and five others
    assert sampled.seconds(20, 30) == pytest.approx(10)


def test_a_machine_that_is_starved_all_the_time_has_no_calm_second(machine: Machine, sampled: Calm) -> None:
    machine.run(100, starved=100)
    assert sampled.seconds(0, 100) == 0


def test_a_sleep_on_this_machine_is_not_longer_calm_than_by_its_clock() -> None:
    with calm() as sampled:
        began = time.monotonic()
        time.sleep(0.3)
        slept = time.monotonic() - began
        assert 0 <= sampled.seconds(began, began + slept) <= slept


def test_a_command_is_run_to_its_end_with_what_it_was_given_and_said() -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('told', file=sys.stderr); sys.exit(3)"
    done = completed([sys.executable, "-c", code], given=b"synthetic")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"SYNTHETIC\n", b"told\n")


@pytest.mark.slow
def test_a_command_that_does_not_end_is_killed_at_its_limit() -> None:
    with pytest.raises(StalledError, match="the limit is 1 s") as stalled:
        completed([sys.executable, "-c", "import time; time.sleep(600)"], limit_s=1)
    assert sys.executable in str(stalled.value)


@pytest.mark.slow
def test_a_process_that_works_makes_progress_and_one_that_sleeps_makes_none() -> None:
    for code, works in (("while True: pass", True), ("import time; time.sleep(600)", False)):
        with subprocess.Popen([sys.executable, "-c", code]) as process:
            used = cpu_of(process.pid)
            time.sleep(1)  # for its start
            try:
                if works:
                    before = used()
                    until(lambda was=before, now=used: now() != was, "CPU time that is used")
                else:
                    before = used()
                    time.sleep(0.5)
                    assert used() == before
            finally:
                process.kill()
        assert ended(process, "the process") == -signal.SIGKILL


def limited(seconds: float) -> Iterator[Generator[None, object, object]]:
    """What pytest runs around a test with the mark `cpu_seconds`."""
    mark = SimpleNamespace(args=(seconds,))
    around = pytest_runtest_call(SimpleNamespace(get_closest_marker=lambda _name: mark))  # type: ignore[arg-type]
    next(around)
    try:
        yield around
    finally:
        around.close()


def burn() -> None:
    while True:
        pass


def test_a_test_that_uses_more_cpu_than_its_mark_allows_fails_and_one_that_waits_does_not() -> None:
    handler = signal.getsignal(signal.SIGPROF)
    with contextmanager(limited)(0.2):
        time.sleep(0.5)
    with contextmanager(limited)(0.2), pytest.raises(pytest.fail.Exception, match=r"more than 0\.2 s of CPU"):
        burn()
    assert signal.getsignal(signal.SIGPROF) is handler
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
