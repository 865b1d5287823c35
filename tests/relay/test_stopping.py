"""A signal may arrive at any line; `stop` must not wait for what that line holds."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.relay.supervisor import Launch, Supervisor
from pipelines.stopping import StopFlag
from pipelines.topics.watching import Watch, Watched
from tests.support.memory_kafka import MemoryCluster
from tests.support.relay_fixture import build

LINES = 25
"""So many lines of a run are interrupted, in these files: two turns of its loop."""
INTERRUPTED = {"supervisor.py", "watching.py", "stopping.py", "threading.py"}


def supervisor() -> tuple[Callable[[], object], Callable[[], None]]:
    made = Supervisor([], structlog.stdlib.get_logger(), Launch(spare=False))
    return made.run, made.stop


def watch() -> tuple[Callable[[], object], Callable[[], None]]:
    class Idle(Watch):
        """One that waits for its next look and takes none."""

        def _look(self) -> None:
            pass

    made = Idle(Watched(None, MemoryCluster(), 60.0, 0), structlog.stdlib.get_logger())  # type: ignore[arg-type]
    return made.run, made.stop


@pytest.mark.slow
@pytest.mark.parametrize("make", [supervisor, watch])
def test_a_signal_at_any_line_ends_the_run(make: Callable[[], tuple[Callable[[], object], Callable[[], None]]]) -> None:
    for line in range(1, LINES):
        run, stop = make()
        lines = 0

        def interrupt(frame: FrameType, event: str, _arg: Any, stop: Callable[[], None] = stop, at: int = line) -> Any:
            nonlocal lines
            if Path(frame.f_code.co_filename).name not in INTERRUPTED:
                return None
            lines += event == "line"
            if event == "line" and lines == at:
                sys.settrace(None)
                stop()  # as a handler would: in the middle of whatever runs
            return interrupt

        def traced(run: Callable[[], object] = run, interrupt: Callable[..., Any] = interrupt) -> None:
            sys.settrace(interrupt)
            run()

        thread = threading.Thread(target=traced, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), f"a signal at line {line} of the run was not the end of it"


def test_a_worker_that_is_told_to_stop_writes_its_line_later(tmp_path: Path) -> None:
    house = build(tmp_path, MemoryCluster())
    with capture_logs() as lines:
        worker = house.worker()
        lines.clear()
        worker.stop("signal")
        assert lines == []
        worker.run()
        assert [line["cause"] for line in lines if line["event"] == "worker.stopping"] == ["signal"]


def test_a_wait_ends_when_the_flag_is_set() -> None:
    flag = StopFlag()
    assert not flag.wait(0)
    threading.Timer(0.01, flag.set).start()
    assert flag.wait(60)
