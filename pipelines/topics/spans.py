"""Spans and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_ENDLESS_MS: Final = 10_000 * 366 * 86_400_000  # longer than the calendar's 9,999 years: a limit that is none
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def span(duration_ms: int) -> str:
    """`2 d 3 h 15 m`, exact to the millisecond; `forever` for no limit, and for what is longer than the calendar."""
    if is_endless(duration_ms) or duration_ms < 0:
        return "forever"
    parts, left = [], duration_ms
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def lasting(duration_ms: int) -> str:
    """`for 2 d 3 h`, or `forever`."""
    return "forever" if is_endless(duration_ms) else f"for {span(duration_ms)}"


def is_endless(duration_ms: int) -> bool:
    """Whether a span ends after the calendar: Kafka's limits near 2**63 ms, and what they are added to."""
    return duration_ms >= _ENDLESS_MS


def after(at_ms: int, wait_ms: int) -> int | None:
    """The time that comes so long after another one (both ms since 1970); None where it never comes."""
    return None if is_endless(wait_ms) or is_endless(at_ms) else at_ms + wait_ms


def moment(at_ms: int) -> str:
    """A time (ms since 1970) in UTC, up to the next whole second: `2026-11-25T18:00:00Z`.

    A time that the calendar does not have is `never`, or `0001-01-01T00:00:00Z` when it is before all others.
    """
    try:
        at = datetime.fromtimestamp(-(-at_ms // 1000), UTC)
    except (ValueError, OverflowError, OSError):  # which of them depends on the platform's time_t
        return "never" if at_ms > 0 else "0001-01-01T00:00:00Z"
    return at.strftime(_MOMENT)


def at_ms(text: str) -> int:
    """The time that `moment` wrote.

    Raises:
        ValueError: the text is none of that kind.
    """
    return int(datetime.strptime(text, _MOMENT).replace(tzinfo=UTC).timestamp()) * 1000
