"""A deadline for a call that has none of its own, or does not keep the one it was given.

A call that is overdue goes on in a thread that nobody waits for; it keeps what it works with alive, and its outcome is
thrown away. So it must be harmless whenever it ends: a producer's is, once another one has fenced it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class OverdueError(Exception):
    """The call has not ended in time."""


def within(seconds: float, call: Callable[[], None]) -> None:
    """Make the call, and wait at most so long for its end.

    Raises:
        OverdueError: it has not ended; whatever it still does, it does behind the caller's back.
        Exception: what the call raised.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as failure:  # noqa: BLE001 - raised again, in the caller's thread
            raised.append(failure)

    thread = threading.Thread(target=run, name="deadline", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise OverdueError
    if raised:
        try:
            raise raised.pop()
        finally:
            # The failure holds this frame, and this frame would hold the list: a circle with the call's batch in it.
            del run, call
