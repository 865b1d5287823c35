"""The time that a worker believes: its own clock, or that of a broker that it has asked, whichever is later.

No raw record is believed by itself. Its broker time is what its leader's clock said then. One clock that was wrong for
a moment would make every later event look expired, and the minimized topics would refuse the record again and again.
So an event that is dated later than the believed time and the slack makes the worker ask a broker. When the broker
agrees with the event, the worker's clock is behind, and the broker's time counts. An event that is ahead of both by
more than `AHEAD_MS` is quarantined (`AHEAD_OF_CLOCK`). One that is ahead by less is relayed; a topic that does not take
it yet takes it minutes later. Decision 0117.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from structlog.stdlib import BoundLogger

from pipelines.relay import metrics
from pipelines.relay.batch import Batch
from pipelines.retention import SLACK_MS

_FRESH_S: Final = 5.0
_AGAIN_S: Final = 60.0


class BelievedTime:
    """Of one worker or replay.

    Args:
        clock: seconds since 1970.
        ask: returns a broker's present time (ms), or None if none answered; may block.
        source: the label of the metric.
        monotonic: seconds; an answer ages by it, so a clock that is set meanwhile moves nothing.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        ask: Callable[[], int | None],
        source: str,
        log: BoundLogger,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._ask, self._source, self._log, self._monotonic = clock, ask, source, log, monotonic
        self._answer: tuple[int, float] | None = None  # a broker's time (ms), and when it was told
        self._doubted = False
        self._warned = False

    def now_ms(self) -> int:
        """Return the believed time (ms). Does not block."""
        local_ms = int(self._clock() * 1000)
        if self._answer is None:
            return local_ms
        told_ms, at = self._answer
        return max(local_ms, told_ms + int((self._monotonic() - at) * 1000))

    def must_ask(self, batch: Batch) -> bool:
        """Return whether to ask before this batch is sent: a broker must confirm it, and none has lately.

        An event is quarantined only by an answer of the last seconds. One that is a little ahead may come from a broker
        whose clock is ahead and stays so, which is no reason to ask all the time.
        """
        if not batch.doubts_clock:
            return False
        return not self._has_answer(_FRESH_S if batch.ahead else _AGAIN_S)

    def due(self) -> bool:
        """Return whether to ask before the next batch.

        That is so after `doubt`, and a minute after an answer that differs from this worker's clock by more than the
        slack: the broker's clock may have been corrected since.
        """
        if self._doubted:
            return True
        if self._answer is None or self._has_answer(_AGAIN_S):
            return False
        return self.now_ms() - int(self._clock() * 1000) > SLACK_MS

    def doubt(self) -> None:
        """Ask before the next batch: brokers refused the time of a record."""
        self._doubted = True

    def ask(self) -> bool:
        """Ask a broker and believe the answer until the next one; False when no broker answered. May block."""
        told_ms = self._ask()
        if told_ms is None:
            return False
        self._answer, self._doubted = (told_ms, self._monotonic()), False
        behind_ms = told_ms - int(self._clock() * 1000)
        metrics.CLOCK_BEHIND.labels(self._source).set(max(0, behind_ms) / 1000)
        if abs(behind_ms) <= SLACK_MS:
            self._warned = False
        elif not self._warned:
            self._warned = True
            self._log.error("clock.behind" if behind_ms > 0 else "clock.ahead", seconds=abs(behind_ms) // 1000)
        return True

    def _has_answer(self, of_last_s: float) -> bool:
        return self._answer is not None and self._monotonic() - self._answer[1] <= of_last_s
