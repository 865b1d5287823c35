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
            self.fail("that is no time; write one like 2026-11-25T08:00:00Z.", param, ctx)
        if moment.tzinfo is None:
            self.fail("a time needs its zone; end it with Z for UTC.", param, ctx)
        return int(moment.timestamp() * 1000)


MOMENT: Final = Moment()
_YEAR_1_MS: Final = 62_135_596_800_000
_YEAR_10000_MS: Final = 253_402_300_800_000


def now_ms() -> int:
    """The present, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def spelled(timestamp_ms: int) -> str:
    """A time as RFC 3339 in UTC, to the second; one that no calendar has (a broker takes any) as milliseconds."""
    if not -_YEAR_1_MS <= timestamp_ms < _YEAR_10000_MS:
        return f"{timestamp_ms} ms"
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
