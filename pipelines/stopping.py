"""A flag that says stop, which a signal handler can set.

`threading.Event` cannot be set from a handler: the handler runs in the main thread, and if that thread is inside `wait`
of the same event and holds the event's lock, `set` waits for the lock forever. The same holds for a logger with a
lock.
"""

from __future__ import annotations

import time
from typing import Final

_TICK_S: Final = 0.05


class StopFlag:
    """False until `set`. Safe to use from signal handlers and from any thread: it has no lock."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Say stop. Never blocks."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether somebody said stop."""
        return self._is_set

    def wait(self, timeout_s: float) -> bool:
        """Block until the flag is set or the time is over; whether it is set. Returns up to 50 ms after `set`."""
        until = time.monotonic() + timeout_s
        while not self._is_set and (left_s := until - time.monotonic()) > 0:
            time.sleep(min(_TICK_S, left_s))
        return self._is_set
