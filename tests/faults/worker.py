"""A worker's process that can be told to die or to sleep at a named step. Otherwise it is the relay's own.

Started by the relay's supervisor with PIPELINES_FAULTS (a folder with orders and the trail) in its environment, and
PIPELINES_CONTROL for a run with a deliberate fault in the relay.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

import orjson

from pipelines.broker import Cluster
from pipelines.relay import process
from pipelines.relay.steps import Step
from tests.faults.controls import CONTROL, OFFSETS_OUTSIDE, OffsetsOutside
from tests.faults.orders import Desk, Order, Trail

FOLDER = "PIPELINES_FAULTS"
_LOOKS = frozenset({Step.POLLED, Step.REBALANCING, Step.STOPPING})


class Obedience:
    """A watch (`pipelines.relay.steps`) that carries out the orders of its slot."""

    def __init__(self, folder: Path, slot: int) -> None:
        self._desk = Desk(folder / "orders")
        self._trail = Trail(folder / "trail", slot)
        self._slot = slot
        self._order: Order | None = None
        self._seen = 0
        self._slept: int | None = None
        self._committed = False
        self._step = Step.POLLED
        self._trail.say("started")

    def __call__(self, step: Step) -> None:
        self._step = step
        if step in _LOOKS and self._order is None:
            self._look()
        if step is Step.REBALANCING:
            self._trail.say("rebalanced", step=step)
        if self._slept is not None and step in {Step.RECOVERING, Step.REBALANCING}:
            self._trail.say("upset", self._slept, step)
            self._slept = None
        if self._order is not None and step == self._order.step:
            self._seen += 1
            if self._seen == self._order.occurrence:
                self._obey(self._order)
        if step is Step.COMMITTED and not self._committed:
            self._committed = True
            self._trail.say("committed", step=step)

    def _look(self) -> None:
        self._order, self._seen = self._desk.take(self._slot), 0
        if self._order is not None:
            self._trail.say("took", self._order.number)

    def _obey(self, order: Order) -> None:
        self._order = None
        if order.do == "die" and order.delay_ms:
            threading.Thread(target=self._die, args=(order,), daemon=True).start()
        elif order.do == "die":
            self._die(order)
        else:
            self._trail.say("sleeps", order.number, self._step)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._slept = order.number
            if order.then is not None:
                self._order, self._seen = Order(order.number, "die", order.then), 0

    def _die(self, order: Order) -> None:
        time.sleep(order.delay_ms / 1000)
        self._trail.say("dies", order.number, self._step)
        os.kill(os.getpid(), signal.SIGKILL)


def main(stdin: IO[bytes]) -> int:
    """Run one worker, as `pipelines.relay.process` does."""
    faulthandler.register(signal.SIGUSR1)  # where it stands, for whoever finds it standing
    told, connect = _Told(stdin), OffsetsOutside if os.environ.get(CONTROL) == OFFSETS_OUTSIDE else Cluster
    return process.main(told, watch=told.watch, connect=connect)  # type: ignore[arg-type]


class _Told:
    """Standard input, whose first line says which slot's orders are to be obeyed. A spare waits for it like any."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._obedience: Obedience | None = None

    def readline(self) -> bytes:
        first = self._stream.readline()
        if first:
            self._obedience = Obedience(Path(os.environ[FOLDER]), orjson.loads(first)["slot"])
        return first

    def watch(self, step: Step) -> None:
        assert self._obedience is not None
        self._obedience(step)

    def fileno(self) -> int:
        return self._stream.fileno()


if __name__ == "__main__":
    process.leave(main(sys.stdin.buffer))
