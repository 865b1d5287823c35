"""The tests' one way to wait: for a condition, as long as the system under test makes progress.

How long something takes depends on the machine. A wait therefore fails only when nothing has moved for a long time, or
at a far outer limit that stops a test which moves but never arrives. Both limits cost nothing when the condition holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

LOOK_S: Final = 0.05
PROGRESS_S: Final = 1.0
STALLED_S: Final = 120.0
LIMIT_S: Final = 600.0
CALL_S: Final = 120.0
"""For one call of a Kafka client that waits by itself: a starved broker answers late, and ends none of them sooner."""
_Found = TypeVar("_Found")


class StalledError(AssertionError):
    """A condition did not come true in time; the message says which, and what moved last."""


def until(
    look: Callable[[], _Found],
    what: str,
    *,
    progress: Callable[[], object] | None = None,
    stalled_s: float = STALLED_S,
    limit_s: float = LIMIT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> _Found:
    """Return the first true value of `look()`, which is called every 50 ms; blocks until then.

    `progress()` returns a value that changes when the system moves: committed offsets, the size of a file, a number of
    log lines. It is called once a second. `what` names the condition in the message of a failure.

    Raises:
        StalledError: `progress()` returned the same value for `stalled_s` seconds, or `limit_s` seconds are over.

    """
    began = moved = asked = clock()
    last = progress() if progress is not None else None
    while True:
        # A look that began in time counts, however long this process then waited for a CPU: the clock is read first.
        now = clock()
        if found := look():
            return found
        if progress is not None and now >= asked + PROGRESS_S:
            asked = now
            if (value := progress()) != last:
                last, moved = value, clock()
            elif now - moved > stalled_s:
                raise StalledError(
                    f"waited {now - began:.0f} s for {what}: nothing moved for {now - moved:.0f} s, "
                    f"last progress: {last!r}"
                )
        if now - began > limit_s:
            moving = "" if progress is None else f", last progress: {last!r}, {now - moved:.0f} s ago"
            raise StalledError(f"waited {now - began:.0f} s for {what}, the limit is {limit_s:.0f} s{moving}")
        sleep(LOOK_S)


def joined(thread: threading.Thread, what: str, *, progress: Callable[[], object] | None = None) -> None:
    """Wait until a thread has ended; blocks. Raises StalledError as `until` does."""
    until(lambda: not thread.is_alive(), f"the end of {what}", progress=progress)
