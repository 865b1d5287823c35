"""Wait for processes that tests start: for as long as they work, and not for a number of seconds.

A process that gets little CPU still uses some; one that hangs in a call uses none. So a wait watches the CPU time of
the process and of all that it started, beside a far outer limit.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, AnyStr

import psutil

from tests.support.waiting import LIMIT_S, LOOK_S, until


def ended(process: subprocess.Popen[Any], what: str, *, limit_s: float = LIMIT_S) -> int:
    """Return the exit code of a process once it has ended; blocks.

    Raises:
        StalledError: the process used no CPU for a long time, or `limit_s` seconds are over.

    """
    until(lambda: process.poll() is not None, f"the end of {what}", progress=cpu_of(process.pid), limit_s=limit_s)
    return int(process.returncode)


def finished(
    process: subprocess.Popen[AnyStr], what: str, *, given: AnyStr | None = None, limit_s: float = LIMIT_S
) -> tuple[AnyStr, AnyStr]:
    """Return what a process printed on its pipes once it has ended; blocks.

    `given` is its input. The process still runs when the wait fails.

    Raises:
        StalledError: the process used no CPU for a long time, or `limit_s` seconds are over.

    """
    inputs = iter([given])

    def look() -> tuple[AnyStr, AnyStr] | None:
        try:
            return process.communicate(next(inputs, None), timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            return None

    return until(look, f"the end of {what}", progress=cpu_of(process.pid), limit_s=limit_s) or process.communicate()


def completed(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: bytes | None = None,
    limit_s: float = LIMIT_S,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, whatever that is, and return what it printed; blocks.

    Raises:
        StalledError: the command was killed, since it used no CPU for a long time or took longer than `limit_s`.

    """
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=nothing if given is None else pipe, stdout=pipe, stderr=pipe
    ) as process:
        try:
            printed, told = finished(process, str(command[0]), given=given, limit_s=limit_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed, told)


def cpu_of(pid: int) -> Callable[[], object]:
    """Return a measure of progress: the CPU time (s) that a process and each that it started have used so far."""

    def used() -> object:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            return [_used(each) for each in (root, *root.children(recursive=True))]
        return None

    return used


def _used(process: psutil.Process) -> tuple[int, float] | None:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        times = process.cpu_times()
        return process.pid, times.user + times.system
    return None
