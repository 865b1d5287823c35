"""For how long a worker has run without a commit while input waited.

A worker whose batch fails each time takes steps, so it is not stuck, and it does not crash. Time in which the worker
waits in one call, for brokers that are away, hardly counts: what helps there is a broker. Pure.
"""

from __future__ import annotations

from typing import Final

LONGEST_TURN_S: Final = 30.0
"""One turn counts no more than this: a transaction's timeout. A longer one waited for brokers."""


class StallClock:
    """Counts the seconds of one worker's turns that committed nothing although input waited."""

    def __init__(self) -> None:
        self._seen_s: float | None = None
        self._committed = False
        self.stalled_s = 0.0

    def committed(self) -> None:
        """Begin again: this turn committed a batch."""
        self._committed = True

    def turned(self, now_s: float, *, input_waits: bool) -> None:
        """Count the turn that ended now. A clock that is set meanwhile costs one turn at most."""
        elapsed_s = 0.0 if self._seen_s is None else now_s - self._seen_s
        self._seen_s = now_s
        counts = input_waits and not self._committed
        self._committed = False
        self.stalled_s = self.stalled_s + min(max(elapsed_s, 0.0), LONGEST_TURN_S) if counts else 0.0
