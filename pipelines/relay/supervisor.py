"""The supervisor: starts the workers, each in a slot of its own, and restarts one that dies in the same slot.

The slot names the worker's transactional id and static membership, so the new process takes over the old one's
partitions without a rebalance and fences whatever the old one left open. Never touches an event.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from structlog.stdlib import BoundLogger

from pipelines.relay import ahead as ahead_of_need
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.spare import Spare
from pipelines.stopping import StopFlag
from pipelines.trouble import Exit

# A worker that lived this long is restarted at once, and so are the first few that did not: one that keeps dying waits,
# twice as long each time. One that refused to work (an exit code of `Trouble`) waits from its first time on.
_QUICK_RESTARTS = 10
_LONGEST_PAUSE_S = 30.0
_FIRST_PAUSE_S = 0.5
_TICK_S = 0.02


@dataclass(slots=True)
class Slot:
    """One worker's place, whoever runs in it now."""

    settings: WorkerSettings
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    pause_s: float = 0.0
    restarts: int = 0
    last_exit: int = 0
    quick: deque[float] = field(default_factory=lambda: deque(maxlen=_QUICK_RESTARTS))
    pids: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Source and slot number, for people."""
        return f"{self.settings.source}.{self.settings.slot}"

    def next_pause_s(self, exit_code: int, now: float, launch: Launch) -> float:
        """How long to wait before the next process, the last of which ended just now."""
        if now - self.started_at >= launch.healthy_s:
            return 0.0
        crashed = exit_code not in set(Exit)
        burst = len(self.quick) == _QUICK_RESTARTS and now - self.quick[0] < launch.quick_within_s
        if crashed and self.pause_s == 0 and not burst:
            self.quick.append(now)
            return 0.0
        return self.longer_pause_s

    @property
    def longer_pause_s(self) -> float:
        """The pause after one that did not help."""
        return min(_LONGEST_PAUSE_S, self.pause_s * 2 or _FIRST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a worker's process is started.

    `command`: with `-P` (Python 3.11), since `-m` alone imports from the current folder first, which is the contract's
    by default, and no code of a contract's folder may run in the process with the keys.
    `output` is where its log lines go (a file descriptor; None: this process's standard error). `environment` is added
    to this process's own. `grace_s` is how long a worker that is asked to end may take: a batch in progress is done
    within its transaction's timeout. `spare` keeps one process more, which a worker's death makes a worker at once.
    `look_every_s` is how often workers are looked at that may be stuck; one that was stuck twice is killed, so it is
    long enough for a machine that slept to let them take a step. A worker that lived for `healthy_s` is restarted at
    once. Of those that did not, the first ten within `quick_within_s` are, too, unless they refused to work.
    """

    command: Sequence[str] = (sys.executable, "-P", "-m", "pipelines.relay.process")
    environment: Mapping[str, str] = field(default_factory=dict)
    output: int | None = None
    grace_s: float = 60.0
    spare: bool = True
    look_every_s: float = 5.0
    healthy_s: float = 5.0
    quick_within_s: float = 60.0

    def process(self, read_ahead: Path | None = None, overlay: str | None = None) -> subprocess.Popen[bytes]:
        """A process that waits for its settings on standard input; it may read a contract while it waits."""
        named = {ahead_of_need.FOLDER: str(read_ahead), ahead_of_need.OVERLAY: overlay or ""}
        ahead = {} if read_ahead is None else named
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self.command, stdin=subprocess.PIPE, stderr=self.output, env={**os.environ, **self.environment, **ahead}
        )


Ages = Mapping[tuple[str, int], float]
"""Slots (source, number) → seconds since their process started."""


class Supervisor:
    """Runs one process a slot until `stop`.

    Args:
        ended: called with the pid of a process that ended, worker or spare; frees its gauges.
        stuck: tells which slots with a process give no sign of life.
    """

    def __init__(
        self,
        workers: Sequence[WorkerSettings],
        log: BoundLogger,
        launch: Launch | None = None,
        ended: Callable[[int], None] = lambda _pid: None,
        stuck: Callable[[Ages], Collection[tuple[str, int]]] = lambda _ages_s: (),
    ) -> None:
        self.slots = [Slot(settings) for settings in workers]
        self._log = log
        self._launch = launch or Launch()
        self._ended = ended
        self._stuck = stuck
        self._suspects: frozenset[int] = frozenset()
        self._look_at = 0.0
        self._spare = Spare(self._start_spare, ended) if self._launch.spare and workers else None
        self._stopping = StopFlag()
        self._deadline = 0.0

    def run(self) -> int:
        """Keep every slot filled until `stop`, then end the workers; the worst exit code of the last ones."""
        self._log.info("supervisor.started", workers=len(self.slots))
        try:
            while not self._stopping.is_set():
                for slot in self.slots:
                    self._tend(slot)
                now = time.monotonic()
                if self._spare is not None and all(slot.process for slot in self.slots):
                    self._spare.tend(now)
                if now >= self._look_at:
                    self._look_at = now + self._launch.look_every_s
                    self._end_stuck(now)
                self._stopping.wait(_TICK_S)
        finally:
            exit_code = self._end_all()
        self._log.info("supervisor.stopped", exit_code=exit_code)
        return exit_code

    def stop(self) -> None:
        """Let every worker finish its batch and leave. May be called from a signal handler or another thread."""
        self._stopping.set()

    def _tend(self, slot: Slot) -> None:
        now = time.monotonic()
        if slot.process is not None:
            exit_code = slot.process.poll()
            if exit_code is None:
                return
            self._bury(slot, slot.process, exit_code, now)
        if now >= slot.due_at:
            self._start(slot, now)

    def _bury(self, slot: Slot, process: subprocess.Popen[bytes], exit_code: int, now: float) -> None:
        _close(process)
        with contextlib.suppress(OSError):  # gauges that stay are no reason to end a run
            self._ended(process.pid)
        slot.process, slot.last_exit = None, exit_code
        slot.pause_s = slot.next_pause_s(exit_code, now, self._launch)
        slot.due_at = now + slot.pause_s
        slot.restarts += 1
        self._log.warning(
            "supervisor.worker_ended",
            source=slot.settings.source,
            slot=slot.settings.slot,
            exit_code=exit_code,
            restart_in_s=slot.pause_s,
        )

    def _start(self, slot: Slot, now: float) -> None:
        process = self._spare.take(now) if self._spare is not None else None
        try:
            process = slot.process = process or self._launch.process()
        except OSError as failure:  # the machine has no process, memory or descriptor left; the other workers go on
            self._postpone(slot, failure, now)
            return
        slot.started_at = now
        slot.pids.append(process.pid)
        # The worker may have died before it could read; the next look at it finds that.
        with contextlib.suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.write(slot.settings.to_json() + b"\n")
                process.stdin.flush()

    def _postpone(self, slot: Slot, failure: OSError, now: float) -> None:
        slot.pause_s = slot.longer_pause_s
        slot.due_at = now + slot.pause_s
        self._log.error(
            "supervisor.worker_not_started",
            source=slot.settings.source,
            slot=slot.settings.slot,
            reason=os.strerror(failure.errno or 0),
            restart_in_s=slot.pause_s,
        )

    def _end_stuck(self, now: float) -> None:
        """Kill each worker that was stuck at the last look, too: a machine that slept looks so, once."""
        filled = {(slot.settings.source, slot.settings.slot): slot for slot in self.slots if slot.process is not None}
        try:
            told = self._stuck({key: now - slot.started_at for key, slot in filled.items()})
        except OSError:  # signs of life cannot be read now: no reason to end a run
            return
        stuck = {slot.process.pid: slot for key, slot in filled.items() if slot.process is not None and key in told}
        for pid in self._suspects & stuck.keys():
            slot = stuck[pid]
            self._log.error("supervisor.worker_stuck", source=slot.settings.source, slot=slot.settings.slot)
            if slot.process is not None:
                slot.process.kill()
        self._suspects = frozenset(stuck)

    def _start_spare(self) -> subprocess.Popen[bytes]:
        settings = self.slots[0].settings
        return self._launch.process(read_ahead=settings.contract_dir, overlay=settings.overlay)

    def _end_all(self) -> int:
        running = [slot.process for slot in self.slots if slot.process is not None]
        self._deadline = time.monotonic() + self._launch.grace_s
        for process in running:
            process.terminate()
        if self._spare is not None:
            self._spare.end()
        codes = [slot.last_exit for slot in self.slots if slot.process is None]
        for process in running:
            codes.append(self._end(process))
            _close(process)
            self._ended(process.pid)
        return max((_exit_code(code) for code in codes), default=0)

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a worker that was asked to end; one that does not within the grace is killed, as a crash would."""
        try:
            return process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _exit_code(code: int) -> int:
    """Return what a worker's end means for the run.

    A worker that a signal asked to end before it had its handlers had not begun: nothing is left undone. Ctrl-C sends
    its signal to the workers, too.
    """
    if code in {-signal.SIGTERM, -signal.SIGINT}:
        return 0
    return 128 - code if code < 0 else code


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
