"""Partitions whose next batch cannot be read: tried again and again, then believed, searched, and passed over.

What is believed is an explicit list of errors, each with how long it must go on. A batch that does not unpack although
its checksum is right was written so, and stays so: seconds. A checksum that is wrong may be the disk's or the broker's
fault, which another replica may not have: minutes, in which an operator can move the leader. All other errors are only
tried again. A second client has to meet the same error before anything is passed over.

While a partition is suspect nothing is taken from it, because librdkafka goes on after a batch whose checksum is wrong,
sometimes at an offset that it made up: what came next would be committed, and the batch lost without a count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from structlog.stdlib import BoundLogger

from pipelines.broker import Cluster, KafkaError
from pipelines.relay.metrics import INPUT_ERRORS
from pipelines.relay.search import Search

BAD_COMPRESSION: Final = KafkaError._BAD_COMPRESSION  # noqa: SLF001 - librdkafka's local codes are spelled so
BAD_MSG: Final = KafkaError._BAD_MSG  # noqa: SLF001
NOT_IMPLEMENTED: Final = KafkaError._NOT_IMPLEMENTED  # noqa: SLF001

# Error -> how long it must come from one position before the batch is given up.
PATIENCE_S: Final = {BAD_COMPRESSION: 5.0, NOT_IMPLEMENTED: 5.0, BAD_MSG: 600.0}
TIMES: Final = 5  # and so often at least
_LONGEST_WAIT_S: Final = 10.0
_SAY_EVERY_S: Final = 30.0

Place = tuple[str, int]


class Span(NamedTuple):
    """Offsets of a raw partition that cannot be read: `first` up to, but without, `end`."""

    topic: str
    partition: int
    first: int
    end: int


@dataclass(slots=True)
class _Suspect:
    offset: int
    error: KafkaError
    since: float
    times: int = 0
    held: bool = True
    retry_at: float = 0.0
    search: Search | None = None
    end: int | None = None


class Suspects:
    """Those of one worker. Never touches the consumer of the worker; `Inbox` does what is said here.

    Args:
        clock: monotonic seconds; tests move it by hand.
    """

    def __init__(
        self,
        cluster: Cluster,
        log: BoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._log = log
        self._clock = clock
        self.places: dict[Place, _Suspect] = {}  # those that are suspect now
        self._said: dict[tuple[Place, str], float] = {}

    def holds(self, place: Place) -> bool:
        """Whether nothing is to be taken from the partition now."""
        suspect = self.places.get(place)
        return suspect is not None and suspect.held

    def heed(self, place: Place, error: KafkaError, offset: int) -> bool:
        """Take note of an error; True when the partition is suspect from now on, and has to be paused."""
        self._say(place, error)
        if error.code() not in PATIENCE_S:
            return False
        now, suspect = self._clock(), self.places.get(place)
        if suspect is None or (suspect.offset, suspect.error.code()) != (offset, error.code()):
            suspect = self.places[place] = _Suspect(offset, error, since=now)
        suspect.times += 1
        suspect.held = True
        suspect.retry_at = now + min(float(suspect.times), _LONGEST_WAIT_S)
        return True

    def clear(self, place: Place) -> None:
        """Its events come again, it is passed over, or it is somebody else's."""
        suspect = self.places.pop(place, None)
        if suspect is not None and suspect.search is not None:
            suspect.search.close()

    def clear_all(self) -> None:
        """As `clear`, of every partition."""
        for place in list(self.places):
            self.clear(place)

    def retry(self, next_offset: Callable[[Place], tuple[int, int]]) -> Iterator[Place]:
        """Go on with each suspect; gives the partitions that are to be read again from their committed offset.

        Args:
            next_offset: a partition's committed offset and its high watermark.
        """
        now = self._clock()
        for place, suspect in list(self.places.items()):
            if suspect.end is not None:
                continue
            if suspect.search is not None:
                self._step(place, suspect, suspect.search, next_offset(place)[0])
            elif suspect.times >= TIMES and now - suspect.since >= PATIENCE_S[suspect.error.code()]:
                first, high = next_offset(place)
                suspect.search = Search(self._cluster, *place, max(first, suspect.offset), high, frozenset(PATIENCE_S))
            elif suspect.held and now >= suspect.retry_at:
                suspect.held = False
                yield place

    def spans(self, committed: Callable[[Place], int], most: int) -> list[Span]:
        """What a batch is to quarantine where the unreadable offsets are known: at most so many of each partition."""
        spans = []
        for place, suspect in self.places.items():
            if suspect.end is not None:
                first = max(committed(place), suspect.offset)
                spans.append(Span(*place, first, min(suspect.end, first + most)))
        return spans

    def passed(self, committed: Callable[[Place], int]) -> list[Place]:
        """The partitions whose unreadable offsets are all in the books now."""
        return [
            place
            for place, suspect in self.places.items()
            if suspect.end is not None and committed(place) >= suspect.end
        ]

    def _step(self, place: Place, suspect: _Suspect, search: Search, committed: int) -> None:
        found = search.step()
        if found is None:
            return
        search.close()
        suspect.search = None
        if found.end is None:  # a second client can read it: no batch to give up
            suspect.times, suspect.since, suspect.retry_at = 0, self._clock(), 0.0
            return
        suspect.end = found.end
        self._log.error(
            "input.given_up",
            topic=place[0],
            partition=place[1],
            offset=max(committed, suspect.offset),
            count=found.end - max(committed, suspect.offset),
            reason=suspect.error.name(),
        )

    def _say(self, place: Place, error: KafkaError) -> None:
        INPUT_ERRORS.labels(place[0], error.name()).inc()
        now, key = self._clock(), (place, error.name())
        if now >= self._said.get(key, 0.0):
            self._said[key] = now + _SAY_EVERY_S
            # Without an end in sight it is an error; what passes by itself is not.
            level = self._log.error if error.code() in PATIENCE_S else self._log.warning
            level("input.unreadable", topic=place[0], partition=place[1], reason=error.name())
