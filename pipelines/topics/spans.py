"""Spans and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pipelines.retention import FOREVER_MS

_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def span(duration_ms: int) -> str:
    """`2 d 3 h 15 m`, exact to the millisecond; `for ever` for no limit."""
    if duration_ms >= FOREVER_MS or duration_ms < 0:
        return "for ever"
    parts, left = [], duration_ms
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def moment(at_ms: int) -> str:
    """A time (ms since 1970) in UTC, up to the next whole second: `2026-11-25T18:00:00Z`."""
    return datetime.fromtimestamp(-(-at_ms // 1000), UTC).strftime(_MOMENT)


def at_ms(text: str) -> int:
    """The time that `moment` wrote.

    Raises:
        ValueError: the text is none of that kind.
    """
    return int(datetime.strptime(text, _MOMENT).replace(tzinfo=UTC).timestamp()) * 1000
