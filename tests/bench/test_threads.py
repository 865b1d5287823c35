"""The CPU time of a process, by its threads."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from bench.threads import Threads
from tests.support.waiting import joined, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells threads' CPU time in /proc")


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_all_threads_together_are_the_process_and_those_that_ended_count_on() -> None:
    threads, asked, leave = Threads(os.getpid()), threading.Event(), threading.Event()

    def work() -> None:
        burn(0.2)
        asked.set()
        until(leave.is_set, "the end of the measurement")

    other = threading.Thread(target=work)
    begin, before = sum(threads.cpu().values()), time.process_time()
    other.start()
    burn(0.2)
    until(asked.is_set, "the other thread's work")
    busy = sum(threads.cpu().values()) - begin
    spent = time.process_time() - before
    assert busy == pytest.approx(spent, abs=0.1)
    assert busy >= 0.35
    leave.set()
    joined(other, "the other thread")
    assert sum(threads.cpu().values()) - begin >= busy


def test_a_process_that_is_gone_has_none() -> None:
    assert Threads(2**22 + 1).cpu() == {}
