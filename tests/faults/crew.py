"""The workers of a run: real processes under the relay's own supervisor, their trail, and a slot that comes and goes.

Kills and wakes processes; decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

import structlog

import tests
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.supervisor import Launch, Slot, Supervisor
from tests.faults.orders import Desk, Line, TrailReader
from tests.faults.worker import FOLDER
from tests.support.waiting import LIMIT_S, joined

ROOT: Final = Path(__file__).parents[2]
# Where a worker's process finds these tests; beside a wheel's own environment that is not the checkout's folder.
TESTS_LIE_IN: Final = str(Path(next(iter(tests.__path__))).parent)
_LOOK_S: Final = 0.02


class Witness:
    """Reads the trail in a thread of its own and wakes whoever waits for a line."""

    def __init__(self, file: Path) -> None:
        file.touch()
        self._reader = TrailReader(file)
        self._news = threading.Condition()
        self._over = threading.Event()
        self.abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()
        self.lines: list[Line] = []

    def mark(self) -> int:
        """A place in the trail to wait from."""
        return len(self.lines)

    def wait(self, since: int, wanted: Callable[[Line], bool], seconds: float, slot: int | None = None) -> Line | None:
        """The first line since a mark that is wanted; None when none comes, or the run is abandoned.

        None comes when the slot (without one: any slot) has written nothing for `seconds`, or after ten minutes.
        """
        moved = time.monotonic()
        deadline = moved + LIMIT_S
        with self._news:
            at = since
            while True:
                news, at = self.lines[at:], len(self.lines)
                for line in news:
                    if wanted(line):
                        return line
                now = time.monotonic()
                if any(slot in {None, line.slot} for line in news):
                    moved = now
                left = min(moved + seconds, deadline) - now
                if left <= 0 or self.abandoned.is_set():
                    return None
                self._news.wait(min(left, 1.0))

    def stop(self) -> None:
        """Read what is left, and end."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        over = False
        with self._reader:
            while not over:
                over = self._over.wait(_LOOK_S)
                news = self._reader.news()
                if news:
                    with self._news:
                        self.lines.extend(news)
                        self._news.notify_all()


@dataclass(slots=True)
class _Team:
    supervisor: Supervisor
    thread: threading.Thread


@dataclass(slots=True)
class Crew:
    """Base slots that are always there, and extra ones.

    Args:
        settings: a slot's settings.
        workers: how many base slots; extra ones are numbered from there.
    """

    folder: Path
    settings: Callable[[int], WorkerSettings]
    workers: int
    environment: dict[str, str]
    witness: Witness = field(init=False)
    desk: Desk = field(init=False)
    _log: TextIO = field(init=False)
    _base: _Team = field(init=False)
    _extra: list[_Team] = field(default_factory=list)

    def start(self) -> None:
        """Start the base slots."""
        self.desk = Desk(self.folder / "orders")
        self.witness = Witness(self.folder / "trail")
        self._log = (self.folder / "workers.log").open("a", buffering=1)
        self._base = self._team(range(self.workers))

    def slot(self, number: int) -> Slot:
        """A base slot."""
        return self._base.supervisor.slots[number]

    def pid(self, number: int) -> int | None:
        """The process that runs in a base slot, if one does."""
        process = self.slot(number).process
        return None if process is None or process.poll() is not None else process.pid

    def join(self) -> int:
        """Start a worker in an extra slot; its number."""
        number = self.workers + len(self._extra)
        self._extra.append(self._team(range(number, number + 1)))
        return number

    def leave(self) -> None:
        """End the worker of the last extra slot, gracefully. A static member is missed when its session ends."""
        self._end(self._extra.pop())

    @property
    def extra(self) -> int:
        """How many extra slots there are."""
        return len(self._extra)

    def stop(self) -> None:
        """End all, and read the trail to its end."""
        while self._extra:
            self.leave()
        self._end(self._base)
        self.witness.stop()
        self._log.close()

    def _team(self, slots: range) -> _Team:
        logger = structlog.wrap_logger(
            structlog.WriteLogger(self._log),
            processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()],
            worker="supervisor",
        )
        launch = Launch(
            (sys.executable, "-m", "tests.faults.worker"),
            {**self.environment, FOLDER: str(self.folder), "PYTHONPATH": TESTS_LIE_IN},
            self._log.fileno(),
            spare=slots.start == 0,  # an extra worker is not killed
        )
        supervisor = Supervisor([self.settings(slot) for slot in slots], logger, launch)
        team = _Team(supervisor, threading.Thread(target=supervisor.run, name=f"supervisor {slots.start}"))
        team.thread.start()
        return team

    @staticmethod
    def _end(team: _Team) -> None:
        for slot in team.supervisor.slots:
            if slot.process is not None:
                send(slot.process.pid, signal.SIGCONT)
        team.supervisor.stop()
        joined(team.thread, "a supervisor")


def send(pid: int, number: int) -> bool:
    """Send a signal; False when there is no such process any more."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
