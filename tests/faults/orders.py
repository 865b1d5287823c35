"""Orders to a worker's process, and the trail that it leaves: both are files, since the process may be killed any time.

An order is a file of its slot that appears by a rename; whoever takes it removes it, so it is carried out once. The
trail is one file that all processes append to, a line a write (O_APPEND), with CLOCK_MONOTONIC's time, which is one
clock for all processes of a machine.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import orjson


@dataclass(frozen=True, slots=True)
class Order:
    """Die or sleep (SIGKILL, SIGSTOP to oneself) when a step is reached for the `occurrence`-th time.

    With `delay_ms` it comes so much later, from another thread. `then` is a second order to follow: for a step that is
    only reached after something went wrong.
    """

    number: int
    do: Literal["die", "sleep"]
    step: str
    occurrence: int = 1
    delay_ms: float = 0.0
    then: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trail. `said` is one of: started, took, dies, sleeps, upset, rebalanced, committed.

    `upset` is a worker that was asleep and finds that it has to recover or was put out; `committed` is the first
    commit of a process; `number` is the order's, -1 without one.
    """

    at: float
    slot: int
    pid: int
    said: str
    number: int
    step: str


class Desk:
    """Where the harness leaves orders for workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def give(self, slot: int, order: Order) -> None:
        """Leave an order for a slot; replaces one that was not taken."""
        fresh = self.folder / f"{slot}.new"
        fresh.write_bytes(orjson.dumps(asdict(order)))
        fresh.replace(self._file(slot))

    def recall(self, slot: int) -> bool:
        """Take an order back; False when it was taken before."""
        try:
            self._file(slot).unlink()
        except FileNotFoundError:
            return False
        return True

    def take(self, slot: int) -> Order | None:
        """For the worker: the order, if there is one. It is gone then."""
        file = self._file(slot)
        taken = file.with_suffix(f".{os.getpid()}")
        try:
            file.rename(taken)
        except FileNotFoundError:
            return None
        order = Order(**orjson.loads(taken.read_bytes()))
        taken.unlink()
        return order

    def _file(self, slot: int) -> Path:
        return self.folder / f"{slot}.order"


class Trail:
    """The worker's end of the trail."""

    def __init__(self, file: Path, slot: int) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._slot = slot

    def say(self, said: str, number: int = -1, step: str = "-") -> None:
        """One line, in one write."""
        line = f"{time.monotonic():.6f} {self._slot} {os.getpid()} {said} {number} {step}\n"
        os.write(self._descriptor, line.encode())


class TrailReader:
    """The harness's end: what was said since it was last asked."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("rb")
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def news(self) -> list[Line]:
        """The whole lines that came."""
        whole, _, self._rest = (self._rest + self._file.read()).rpartition(b"\n")
        return [_line(text) for text in whole.decode().splitlines()]


def _line(text: str) -> Line:
    at, slot, pid, said, number, step = text.split(" ")
    return Line(float(at), int(slot), int(pid), said, int(number), step)
