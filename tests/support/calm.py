"""Durations without the time in which this machine was short of CPU, for promises that name seconds.

The kernel counts for how long any process that could run had to wait for a CPU (pressure stall information, "some" of
/proc/pressure/cpu). A bound that holds on an idle machine holds for the rest of a duration on a starved one: what a
process lost by waiting for a CPU is not in it. On an idle machine nothing is taken away, so the bound is as sharp
there as a clock makes it. Without /proc/pressure, calm time is the clock's.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PRESSURE: Final = Path("/proc/pressure/cpu")
_SAMPLE_S: Final = 0.1


def _short_s() -> float:
    """Return for how many seconds, since the machine started, something waited for a CPU."""
    try:
        (some,) = (line for line in _PRESSURE.read_text(encoding="ascii").splitlines() if line.startswith("some "))
    except (OSError, ValueError):
        return 0.0
    return int(some.rpartition("total=")[2]) / 1e6


class Calm:
    """What was sampled so far; `seconds` asks for any two moments (`time.monotonic`) since the first sample."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, short_s: Callable[[], float] = _short_s) -> None:
        self._clock, self._short_s = clock, short_s
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._short: list[float] = []
        self.sample()

    def sample(self) -> None:
        """Note how short of CPU the machine was until now."""
        with self._lock:
            self._times.append(self._clock())
            self._short.append(self._short_s())

    def seconds(self, since: float, until: float) -> float:
        """Return the seconds between two moments in which nothing waited for a CPU."""
        self.sample()
        return max(0.0, (until - since) - (self._at(until) - self._at(since)))

    def _at(self, moment: float) -> float:
        """Interpolate the shortage at a moment between two samples."""
        after = min(max(1, bisect_right(self._times, moment)), len(self._times) - 1)
        (early, late), (low, high) = self._times[after - 1 : after + 1], self._short[after - 1 : after + 1]
        share = (moment - early) / (late - early) if late > early else 1.0
        return low + (high - low) * min(1.0, max(0.0, share))


@contextmanager
def calm() -> Iterator[Calm]:
    """Sample in a thread while the block runs."""
    over, sampled = threading.Event(), Calm()

    def run() -> None:
        while not over.wait(_SAMPLE_S):
            sampled.sample()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield sampled
    finally:
        over.set()
        thread.join()
