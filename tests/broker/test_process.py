import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.broker.process import Process
from tests.support.waiting import until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "process.json")
    yield process
    process.kill()


@pytest.fixture
def spawn(process: Process, tmp_path: Path) -> Callable[[list[str]], int]:
    def spawn(arguments: list[str]) -> int:
        process.spawn(arguments, output=tmp_path / "log", environment={})
        pid = process.pid()
        assert pid is not None
        return pid

    return spawn


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_was_never_started_has_no_id_and_can_be_stopped(process: Process) -> None:
    assert process.pid() is None
    assert process.stop(grace_s=0)


def test_a_started_process_is_known_to_whoever_reads_the_file(
    spawn: Callable[[list[str]], int], tmp_path: Path
) -> None:
    pid = spawn(SLEEPER)
    assert Process(tmp_path / "process.json").pid() == pid


def test_stopping_ends_the_process_and_leaves_no_zombie(process: Process, spawn: Callable[[list[str]], int]) -> None:
    pid = spawn(SLEEPER)
    assert process.stop(grace_s=30)
    assert process.pid() is None
    assert not _is_alive(pid)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(
    process: Process, spawn: Callable[[list[str]], int], tmp_path: Path
) -> None:
    pid = spawn(STUBBORN)
    until(lambda: "deaf" in (tmp_path / "log").read_text(), "a process that ignores SIGTERM")
    assert not process.stop(grace_s=0.1)
    assert not _is_alive(pid)


def test_a_process_that_ended_by_itself_counts_as_gone(process: Process, spawn: Callable[[list[str]], int]) -> None:
    pid = spawn(SLEEPER)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert process.pid() is None


def test_a_stranger_that_got_the_id_is_neither_taken_for_ours_nor_signalled(
    process: Process, spawn: Callable[[list[str]], int], tmp_path: Path
) -> None:
    spawn(SLEEPER)
    process.kill()
    recorded = json.loads((tmp_path / "process.json").read_text())
    boot = recorded["started"].partition(":")[0]
    with subprocess.Popen(SLEEPER) as stranger:
        try:
            (tmp_path / "process.json").write_text(json.dumps({"pid": stranger.pid, "started": f"{boot}:1"}))
            assert process.pid() is None
            assert process.stop(grace_s=0)
            process.kill()
            process.ask_to_end()
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": "x", "started": ""}', "\xff"])
def test_a_file_that_makes_no_sense_means_no_process(process: Process, tmp_path: Path, text: str) -> None:
    (tmp_path / "process.json").write_text(text)
    assert process.pid() is None
