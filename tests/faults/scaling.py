"""Rebalances: a worker joins, a worker leaves, again and again, at the pace of the other faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.faults.crew import Crew

_PATIENCE_S: Final = 90.0
_TICK_S: Final = 0.05


@dataclass(slots=True)
class Scaler:
    """Scales in and out `wanted` times; `done` were seen to change who holds what.

    Args:
        share: how much of the other faults is done, 0 to 1.
    """

    crew: Crew
    wanted: int
    share: Callable[[], float]
    done: int = 0
    in_vain: int = 0
    _nudged: threading.Event = field(default_factory=threading.Event)

    def nudge(self) -> None:
        """Ask for a rebalance now."""
        self._nudged.set()

    def run(self, over: threading.Event) -> None:
        """Scale until all is done and `over` is set."""
        abandoned = self.crew.witness.abandoned
        while not abandoned.is_set() and (not over.is_set() or self.done + self.in_vain < self.wanted):
            due = self.done + self.in_vain < self.wanted and self.share() * self.wanted >= self.done + self.in_vain
            if not due and not self._nudged.is_set():
                time.sleep(_TICK_S)
                continue
            self._nudged.clear()
            if self._scale():
                self.done += 1
            else:
                self.in_vain += 1

    def _scale(self) -> bool:
        witness, mark = self.crew.witness, self.crew.witness.mark()
        if self.crew.extra:
            self.crew.leave()
            mark = witness.mark()
            slots = set(range(self.crew.workers))
            wanted = "rebalanced"
        else:
            slots = {self.crew.join()}
            wanted = "committed"
        return witness.wait(mark, lambda line: line.said == wanted and line.slot in slots, _PATIENCE_S) is not None
