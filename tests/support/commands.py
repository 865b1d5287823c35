"""The `pipelines` command as a person runs it: processes of their own, watched by what they write."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from tests.support.processes import completed, ended
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import until

_SCRIPT = Path(sys.executable).with_name("pipelines")
# The fallback is for an environment that has the project on its path and not installed.
COMMAND = (
    [str(_SCRIPT)]
    if _SCRIPT.exists()
    else [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.argv[0] = 'pipelines'; main()"]
)


def surroundings(folder: Path) -> dict[str, str]:
    """This process's environment without settings of ours; what a killed process leaves lies in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINES_", "PROMETHEUS_"))}
    return {**kept, "TMPDIR": str(folder)}


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is; blocks for as long as the command works."""
    found = completed([*COMMAND, *arguments], cwd=cwd, env=surroundings(cwd))
    return subprocess.CompletedProcess(found.args, found.returncode, found.stdout.decode(), found.stderr.decode())


def done(*arguments: str, cwd: Path) -> str:
    """Run a command that must end well; what it printed."""
    found = run(*arguments, cwd=cwd)
    assert found.returncode == 0, f"pipelines {' '.join(arguments)}: {found.returncode}\n{found.stdout}{found.stderr}"
    return found.stdout


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; one that nobody has buried yet has ended, too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def free_port() -> int:
    """A port of this machine that nothing listens at, for now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Running:
    """A `pipelines run` with its workers, and the file that all of them log to."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """What was logged so far. A line that is no JSON (none should be) fails the test that reads it."""
        whole, _, _ = self.log.read_bytes().rpartition(b"\n")
        return [orjson.loads(line) for line in whole.splitlines()]

    def said(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The lines of an event that carry these fields."""
        wanted = {"event": event, **fields}
        return [line for line in self.lines() if wanted.items() <= line.items()]

    def wait_until_said(self, event: str, *, times: int = 1, **fields: object) -> list[dict[str, Any]]:
        """Wait until an event was logged so often."""

        def look() -> list[dict[str, Any]]:
            said = self.said(event, **fields)
            assert len(said) >= times or self.process.poll() is None, self.log.read_text()
            return said if len(said) >= times else []

        return until(look, f"{times} times {event} {fields} in the log", progress=lambda: self.log.stat().st_size)

    def workers(self) -> list[psutil.Process]:
        """The processes that have started to work; a spare that waits for a death is none of them."""
        started = {line["pid"] for line in self.said("worker.started")}
        return [child for child in psutil.Process(self.process.pid).children() if child.pid in started]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the supervisor a signal and wait for its end; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the supervisor's end; its exit code."""
        return ended(self.process, "`pipelines run`")


@contextmanager
def running(*arguments: str, cwd: Path, name: str = "run") -> Iterator[Running]:
    """Start `pipelines run`; whatever is left of it when the block ends is killed."""
    log = cwd / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "run", *arguments],
            cwd=cwd,
            env=surroundings(cwd),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    crew = Running(process, log)
    try:
        yield crew
    finally:
        if process.poll() is None:
            left = psutil.Process(process.pid).children()
            process.kill()
            process.wait()
            for worker in left:
                if not has_ended(worker):
                    worker.kill()


def arguments(house: RelayFixture, *more: str) -> list[str]:
    """The command's arguments for a house, `run` not among them."""
    keys = ["--keyring", str(house.folder / "keyring.json"), "--kek-file", str(house.folder / "kek")]
    return ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap, "--instance", "test", *keys, *more]
