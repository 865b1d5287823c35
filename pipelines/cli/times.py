"""Times and spans of time on the command line: RFC 3339 with a zone in, UTC and whole units out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import click


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs alone, of some versions
    """An RFC 3339 time with its zone, as milliseconds since 1970.

    Only absolute times: the same command, repeated later, then means the same.
    """

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; click's usage error (exit 2) when it is none."""
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("that is not a time; write one like 2026-11-25T08:00:00Z.", param, ctx)
        if moment.tzinfo is None:
            self.fail("a time needs its zone; end it with Z for UTC.", param, ctx)
        return int(moment.timestamp() * 1000)


MOMENT: Final = Moment()


def now_ms() -> int:
    """The present, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def spelled(timestamp_ms: int) -> str:
    """A time as RFC 3339 in UTC, to the second; as its number where the calendar does not have it."""
    return _spelled(timestamp_ms, "seconds")


def spelled_whole(timestamp_ms: int) -> str:
    """A record's own time, as `spelled` has it, with what is below a second."""
    return _spelled(timestamp_ms, "auto")


def _spelled(timestamp_ms: int, precision: str) -> str:
    try:
        at = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):  # which of them depends on the platform's time_t
        return f"{timestamp_ms} ms since 1970"  # its producer may have taken microseconds for milliseconds
    return at.isoformat(timespec=precision).replace("+00:00", "Z")
