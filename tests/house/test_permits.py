"""The budget of brokers holds over processes, and nobody waits for ever."""

from __future__ import annotations

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
