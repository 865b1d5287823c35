"""The budget of brokers holds over processes, and nobody waits forever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.alive import BrokerCount
from tests.support.permits import BUDGET, Permits
from tests.support.waiting import joined

ROOT = Path(__file__).parents[2]
HOLDING = """
import sys
from pathlib import Path
from tests.support.permits import Permits
permits = Permits(Path(sys.argv[1]))
permits.hold(int(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_waits_until_one_is_given_back_or_its_holder_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path), "2"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        mine = Permits(tmp_path, wait_s=0.3)
        mine.hold(BUDGET - 2)
        with pytest.raises(TimeoutError, match="no permit for 2"):
            mine.hold(BUDGET - 1)
        other.kill()
        other.wait()
        mine.hold(BUDGET)
        assert mine.held == BUDGET


def test_what_is_given_back_goes_to_who_waits_for_it(tmp_path: Path) -> None:
    first, second = Permits(tmp_path), Permits(tmp_path)
    first.hold(BUDGET)
    waiting = threading.Thread(target=second.hold, args=(2,))
    waiting.start()
    first.hold(1)
    joined(waiting, "the wait for a permit")
    assert (first.held, second.held) == (1, 2)


def test_more_than_the_budget_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="over the budget of 3"):
        Permits(tmp_path).hold(BUDGET + 1)


def test_a_timed_out_wait_keeps_others_out_no_longer(tmp_path: Path) -> None:
    first, second, third = Permits(tmp_path), Permits(tmp_path, wait_s=0.2), Permits(tmp_path)
    first.hold(2)
    with pytest.raises(TimeoutError):
        second.hold(2)
    second.hold(0)
    third.hold(1)
    assert third.held == 1


def test_the_count_is_of_brokers_that_two_looks_saw(tmp_path: Path) -> None:
    count = BrokerCount(tmp_path)
    for alive in ({1, 2}, {2, 3}, {2, 3, 4}, {2, 3, 4}, {2}):
        count.look(alive)
    assert count.most == 3


# Starts what the count takes for a broker, since the class's name is among its arguments, and leaves it behind.
LEAVING = """
import os, subprocess, sys
def pytest_collection(session):
    here = session.config._tmp_path_factory.getbasetemp()  # which the run around this one does not look at
    command = [sys.executable, "-c", "import time; time.sleep(120)", "kafka.Kafka"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    left = subprocess.Popen(command, cwd=here, start_new_session=True, **silent)
    left.returncode = 0  # so that Python does not warn of a process that nobody waits for
    with open(os.environ["LEFT"], "w") as file:
        file.write(str(left.pid))
"""


@pytest.mark.slow
@pytest.mark.parametrize("inside", [True, False], ids=["part of another run", "a run of its own"])
def test_a_broker_that_is_left_fails_a_run_but_for_one_that_is_part_of_another(tmp_path: Path, *, inside: bool) -> None:
    (tmp_path / "leaving.py").write_text(LEAVING)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINES_", "PYTEST_"))}
    environment = {**outside, "PYTHONPATH": str(tmp_path), "LEFT": str(tmp_path / "pid")}
    if inside:
        environment["PIPELINES_TEST_BROKERS_COUNTED"] = "1"
    one = "tests/house/test_permits.py::test_more_than_the_budget_is_refused_at_once"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "leaving", one],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert "1 passed" in ended.stdout
    # Brokers of the run around it may count in a run of its own, too.
    assert (ended.returncode, ", 0 left at the end" in ended.stdout) == ((0, True) if inside else (1, False))
