"""How many Kafka brokers may be alive during a test run: three, counted over all of its processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

BUDGET: Final = 3
"""Brokers. Each is a JVM with over a hundred threads; ten of them starved one another on two cores."""
WAIT_S: Final = 1800.0
_PAUSE_S: Final = 0.1


class Permits:
    """One process's share of the brokers that a test run may have, held as file locks, which end with the process.

    A process that asks for more waits until others give theirs back. One that wants several gets them together: while
    it waits nobody else is served, so that two processes cannot each hold a part of what the other needs.

    Args:
        folder: the same for all processes of the run.
        wait_s: outer limit of a wait, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        budget: int = BUDGET,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._budget = budget
        self._turn = FileLock(folder / "turn.lock")
        self._free = [FileLock(folder / f"permit-{number}.lock") for number in range(budget)]
        self._held: list[FileLock] = []
        self._wait_s = wait_s
        self._clock = clock

    @property
    def held(self) -> int:
        """How many this process holds."""
        return len(self._held)

    def hold(self, count: int) -> None:
        """Hold exactly so many: give back what is too much, or block until there are enough.

        Raises:
            ValueError: the budget is smaller than that.
            TimeoutError: others kept theirs for longer than `wait_s`.
        """
        if count > self._budget:
            raise ValueError(f"{count} brokers are over the budget of {self._budget}")
        while self.held > count:
            lock = self._held.pop()
            lock.release()
            self._free.append(lock)
        if self.held < count:
            try:
                with self._turn.acquire(timeout=self._wait_s):
                    self._take(count)
            except Timeout:
                raise TimeoutError(
                    f"no permit for {count} broker(s) within {self._wait_s:.0f} s: other processes of this test run "
                    "keep theirs. Tests on three brokers belong in modules named test_three_brokers…, which run first."
                ) from None

    def _take(self, count: int) -> None:
        deadline = self._clock() + self._wait_s
        while not self._took(count):
            if self._clock() > deadline:
                raise Timeout(str(self._turn.lock_file))
            time.sleep(_PAUSE_S)

    def _took(self, count: int) -> bool:
        for lock in list(self._free):
            if self.held == count:
                break
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            self._free.remove(lock)
            self._held.append(lock)
        return self.held == count
