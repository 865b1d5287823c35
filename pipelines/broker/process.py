"""A process that outlives the command that started it, remembered in a file, and never mistaken for another.

Process ids are used again. The file holds the id, the kernel's start time of the process and the boot it belongs to,
and signals go through a pidfd that was opened before those were compared: a stranger that got the id is never touched.
Linux only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of all that ever had this id: `started` is the boot's id and the clock tick of its start."""

    pid: int
    started: str


class Process:
    """The process whose identity stands in `file`, if it still runs."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pid(self) -> int | None:
        """The id of the running process, None when there is none."""
        with self._running() as running:
            return None if running is None else running[0]

    def spawn(self, arguments: Sequence[str], *, output: Path, environment: Mapping[str, str]) -> None:
        """Start a process in a session of its own; what it prints is appended to `output`. Does not wait.

        Raises:
            Trouble: (exit 3) the process ended before it could be looked at.
        """
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            arguments[0],
            list(arguments),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(output), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        identity = _identity(pid)
        if identity is None:
            _reap(pid)
            raise Trouble("a process ended as soon as it began", hint=f"Look into {output}.")
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(identity)), encoding="utf-8")
        fresh.replace(self._file)

    def ask_to_end(self) -> None:
        """Send SIGTERM and do not wait: for processes that must end together."""
        with self._running() as running:
            if running is not None:
                signal.pidfd_send_signal(running[1], signal.SIGTERM)

    def stop(self, *, grace_s: float) -> bool:
        """Ask it to end, and make it after `grace_s` seconds. True when it ended by itself, or was not there."""
        with self._running() as running:
            if running is None:
                return True
            pid, pidfd = running
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
            by_itself = _ended(pidfd, grace_s)
            if not by_itself:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                _ended(pidfd, None)
            _reap(pid)
            return by_itself

    def kill(self) -> None:
        """End it at once, as a power cut would, and wait until it is gone."""
        with self._running() as running:
            if running is not None:
                signal.pidfd_send_signal(running[1], signal.SIGKILL)
                _ended(running[1], None)
                _reap(running[0])

    @contextlib.contextmanager
    def _running(self) -> Iterator[tuple[int, int] | None]:
        """The id and a pidfd of the recorded process; None when it no longer runs."""
        recorded = self._recorded()
        pidfd = None if recorded is None else _pidfd(recorded.pid)
        if recorded is None or pidfd is None:
            yield None
            return
        try:
            # The pidfd holds on to one process, so what the identity says now stays true of it.
            yield (recorded.pid, pidfd) if _identity(recorded.pid) == recorded else None
        finally:
            os.close(pidfd)

    def _recorded(self) -> Identity | None:
        try:
            recorded = json.loads(self._file.read_text(encoding="utf-8"))
            return Identity(int(recorded["pid"]), str(recorded["started"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _identity(pid: int) -> Identity | None:
    """Who has the id now; None for nobody, or one that has ended and was not waited for."""
    try:
        # "pid (name) state ppid …": the name may hold anything, so count from its closing parenthesis (proc(5)).
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if state in {"Z", "X"} else Identity(pid, f"{boot}:{fields[18]}")


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _ended(pidfd: int, within_s: float | None) -> bool:
    """Wait until the process has ended (a pidfd is readable then, pidfd_open(2))."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if within_s is None else within_s * 1000))


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # somebody else's child: theirs to wait for
        os.waitpid(pid, 0)
