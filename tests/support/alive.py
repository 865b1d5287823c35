"""How many Kafka brokers of a test run are alive, looked at all the time from outside the tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_EVERY_S: Final = 1.0
_GONE_WITHIN_S: Final = 20.0  # one that is asked to end takes seconds
_MAIN_CLASS: Final = b"kafka.Kafka"
_PROCESSES: Final = Path("/proc")


def brokers(folders: Iterable[Path]) -> frozenset[int]:
    """Return the process ids of the Kafka brokers that were started in one of the folders or below.

    A broker's working directory is that of the process that started it: so those of other test runs do not count, nor
    those in containers.
    """
    wanted, found = tuple(folders), set()
    for process in _PROCESSES.glob("[0-9]*"):
        try:
            if _MAIN_CLASS not in (process / "cmdline").read_bytes().split(b"\0"):
                continue
            started_in = (process / "cwd").readlink()
        except OSError:
            continue  # it has ended meanwhile, or is another user's
        if any(started_in.is_relative_to(folder) for folder in wanted):
            found.add(int(process.name))
    return frozenset(found)


class BrokerCount:
    """Counts in a thread, from `start` until `stop`, the brokers that were not there before. `most` is the maximum.

    One that was killed takes a moment to go; so what counts is what two looks in a row have seen.

    Args:
        folders: where the run's processes start brokers.
    """

    def __init__(self, *folders: Path) -> None:
        self.most = 0
        self._folders = folders
        self._before: frozenset[int] = frozenset()
        self._last: frozenset[int] = frozenset()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._count, name="broker count", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._before = brokers(self._folders)
        self._thread.start()

    def stop(self) -> frozenset[int]:
        """Stop counting; return the process ids of the brokers that are still alive. Blocks until none is, or 20 s."""
        self._stopping.set()
        self._thread.join()
        deadline = time.monotonic() + _GONE_WITHIN_S
        while (left := brokers(self._folders) - self._before) and time.monotonic() < deadline:
            time.sleep(_EVERY_S / 10)
        return left

    def look(self, alive: Iterable[int]) -> None:
        """Take note of who is alive now."""
        now = frozenset(alive) - self._before
        self.most = max(self.most, len(now & self._last))
        self._last = now

    def _count(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            self.look(brokers(self._folders))
