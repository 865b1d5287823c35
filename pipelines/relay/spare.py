"""A spare: one process started ahead of need, that has all imported and waits for some slot's settings.

A worker's death then costs no start of an interpreter. There is one for all slots: two deaths at once are rare, and
each spare takes about 60 MB. It holds no key, no client and no slot, so nothing is lost with it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

# Not at once after a start: that worker needs the processor more.
_AFTER_S: Final = 1.0
# A spare that dies is not mourned, but nor is it replaced in a hurry: whatever killed it may kill the next.
_AFTER_DEATH_S: Final = 5.0


class Spare:
    """At most one process, taken by whoever needs it first.

    Args:
        start: starts a process that waits for settings.
        ended: called with the pid of a spare that ended unused.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]], ended: Callable[[int], None]) -> None:
        self._start = start
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._due_at = 0.0

    def tend(self, now: float) -> None:
        """Start one if it is time, and bury one that died. For a moment when no slot is empty."""
        if self._process is None:
            if now >= self._due_at:
                self._due_at = now + _AFTER_DEATH_S
                with suppress(OSError):  # the machine has no process or memory left for one
                    self._process = self._start()
        elif self._process.poll() is not None:
            self._bury(self._process)
            self._due_at = now + _AFTER_DEATH_S

    def take(self, now: float) -> subprocess.Popen[bytes] | None:
        """The spare, if there is one that lives; it is the caller's then."""
        process, self._process = self._process, None
        self._due_at = now + _AFTER_S
        if process is not None and process.poll() is not None:
            self._process = process  # for `tend` to bury
            return None
        return process

    def end(self) -> None:
        """End the one there is. It has nothing to finish, so it is not asked."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._bury(self._process)

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        if process.stdin is not None:
            process.stdin.close()
        self._ended(process.pid)
