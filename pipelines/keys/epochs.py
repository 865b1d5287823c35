"""Epochs: which root makes a handle at a given broker time.

An epoch is [start, start + rotate) in UTC, aligned to the Unix epoch, so that every worker agrees without talking.
Never reads a clock: the caller passes the record's broker time. All times are milliseconds since 1970.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RootId(NamedTuple):
    """Which root: a purpose that rotates otherwise has other roots, even where two epochs begin together.

    A purpose that was removed from the contract and comes back has the next incarnation, and so other roots.
    """

    purpose: str
    rotate_ms: int
    epoch_start_ms: int
    incarnation: int = 1

    def __str__(self) -> str:
        again = "" if self.incarnation == 1 else f", incarnation {self.incarnation}"
        epoch = epoch_text(self.epoch_start_ms)
        return f"purpose {self.purpose!r}, epoch of {epoch} (rotation {self.rotate_ms} ms{again})"


def epoch_start(timestamp_ms: int, rotate_ms: int) -> int:
    """The start of the epoch that a time falls into.

    Raises:
        ValueError: the rotation is not positive.
    """
    if rotate_ms <= 0:
        raise ValueError("a rotation must be positive")
    return timestamp_ms - timestamp_ms % rotate_ms


def epoch_starts(first_ms: int, last_ms: int, rotate_ms: int) -> range:
    """The starts of all epochs that [first, last] touches, ascending; none if last lies before first."""
    if last_ms < first_ms:
        return range(0)
    return range(epoch_start(first_ms, rotate_ms), last_ms + 1, rotate_ms)


def epoch_text(epoch_start_ms: int) -> str:
    """The epoch's start as RFC 3339 in UTC, for people; outside the years 1 to 9999, the number."""
    try:
        start = _UNIX_EPOCH + timedelta(milliseconds=epoch_start_ms)
    except OverflowError:
        return f"{epoch_start_ms} ms"
    return start.isoformat(timespec="milliseconds" if start.microsecond else "seconds").replace("+00:00", "Z")
