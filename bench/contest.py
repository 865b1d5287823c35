"""Runs one contender on one job, in a process of its own, and keeps what it says of itself."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final, Self

from bench.rivals import properties
from bench.threads import Threads

_GRACE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Tick:
    """How far a contender was: its CPU (s), its events, its memory (MB), its cache of handles, its threads' CPU (s)."""

    at: float
    cpu: float
    events: int
    rss_mb: int
    peak_mb: int
    hits: int = 0
    misses: int = 0
    threads: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contender:
    """How to start one, and what it may do with its job. `most_events` bounds the job of a slow one."""

    name: str
    command: Sequence[str]
    options: Mapping[str, Any]
    most_events: int | None = None


class Running:
    """A contender's process. Use it as a context manager; leaving ends it."""

    def __init__(self, contender: Contender, job: Mapping[str, Any], log: IO[bytes]) -> None:
        self.name = contender.name
        self.ticks: list[Tick] = []
        self._log = log.name
        command = [*contender.command]
        if contender.options.get("java"):
            command.append(properties(job, Path(log.name).parent))
        self._process = subprocess.Popen(  # noqa: S603 - our own scripts
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=Path.cwd()
        )
        line = json.dumps({**job, **contender.options}).encode() + b"\n"
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(line)
        self._process.stdin.flush()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def require(self) -> None:
        """It still runs.

        Raises:
            SystemExit: it does not.
        """
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self._process.returncode}; see {self._log}")

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        threads = Threads(self._process.pid)
        for line in self._process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                self.ticks.append(Tick(**json.loads(line), threads=threads.cpu()))


def wait_for(crew: Sequence[Running], events: int, seconds: float) -> None:
    """Wait until they are through with so many events together.

    Raises:
        SystemExit: one of them ended, or the time did.
    """
    until = time.monotonic() + seconds
    while (seen := sum(one.ticks[-1].events for one in crew if one.ticks)) < events:
        for one in crew:
            one.require()
        if time.monotonic() > until:
            raise SystemExit(f"{crew[0].name} came to {seen} of {events} events in {seconds} s")
        time.sleep(0.05)


def steady(crew: Sequence[Sequence[Tick]], total: int, warm: float) -> tuple[Tick, Tick]:
    """Two sums over a crew's ticks between which it was working: after its warm-up, and when it last moved.

    Memory is that of the largest.
    """
    latest = [Tick(0, 0, 0, 0, 0)] * len(crew)
    sums = []
    for member, tick in sorted(((m, tick) for m, ticks in enumerate(crew) for tick in ticks), key=lambda it: it[1].at):
        latest[member] = tick
        sums.append(_sum(latest))
    begin = next(tick for tick in sums if tick.events >= total * warm)
    moved = [now for before, now in pairwise(sums) if now.events > before.events]
    return begin, moved[-1]


def _sum(ticks: Sequence[Tick]) -> Tick:
    return Tick(
        at=max(tick.at for tick in ticks),
        cpu=sum(tick.cpu for tick in ticks),
        events=sum(tick.events for tick in ticks),
        rss_mb=max(tick.rss_mb for tick in ticks),
        peak_mb=max(tick.peak_mb for tick in ticks),
        hits=sum(tick.hits for tick in ticks),
        misses=sum(tick.misses for tick in ticks),
        threads={
            name: sum(tick.threads.get(name, 0) for tick in ticks)
            for name in {n for tick in ticks for n in tick.threads}
        },
    )
