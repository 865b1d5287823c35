"""Reading rules: how a text, or a double of seconds, is read as a number or as a time.

    decimal        text    -12.50        one sign, no leading zeros, at most 18 digits before and after the point
    iso8601        text    2026-11-23T10:00:00.125Z, …+01:00, …+0100     RFC 3339, the offset with or without colon
    epoch_seconds  text    1790000000.25 as `decimal`;   double   rounded to the nearest microsecond

ASCII only. What does not match as a whole cannot be read: exponents, spaces, `1_0`, `+1`, NaN, leap seconds, times
without an offset, year 0. Times become whole milliseconds since 1970, floored. Never raises on a value.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

DECIMAL: Final = "decimal"
ISO8601: Final = "iso8601"
EPOCH_SECONDS: Final = "epoch_seconds"
MOST_DIGITS: Final = 18
LARGEST_SECONDS: Final = 1e12
"""Doubles of seconds from here on have no calendar year and are not read."""

_NUMBER: Final = re.compile(rb"(-?)(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,18}))?")
_TIME: Final = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    rb"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))"
)
_TENS: Final = tuple(int(f"1{'0' * power}") for power in range(MOST_DIGITS + 1))
_EPOCH: Final = date(1970, 1, 1).toordinal()
_HOURS: Final = 23
_SIXTIETHS: Final = 59
_DAY_S: Final = 86_400


def whole(text: bytes, scale: int = 0) -> int | None:
    """Return a decimal times ten to the power of `scale` (0 to 18), floored; None if the text is no decimal."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    digits = (found[3] or b"").ljust(MOST_DIGITS, b"0")
    number = int(found[2] + digits)
    return (-number if found[1] else number) // _TENS[MOST_DIGITS - scale]


def real(text: bytes) -> float | None:
    """Return the double that is nearest to a decimal; None if the text is no decimal."""
    return None if _NUMBER.fullmatch(text) is None else float(text)


def iso8601(text: bytes) -> int | None:
    """Return a time as milliseconds since 1970, floored; None if the text is no time of a year from 1 to 9999."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
    away_h, away_min = int(found[7] or 0), int(found[8] or 0)
    if max(hour, away_h) > _HOURS or max(minute, second, away_min) > _SIXTIETHS:
        return None
    try:
        days = date.fromisoformat(found[1].decode("ascii")).toordinal() - _EPOCH
    except ValueError:  # no such day, or year 0
        return None
    away_s = (away_h * 60 + away_min) * (-60 if found[6] == b"-" else 60)
    seconds = days * _DAY_S + hour * 3_600 + minute * 60 + second - away_s
    return seconds * 1_000 + int((found[5] or b"0").ljust(3, b"0")[:3])


def text_seconds(text: bytes) -> int | None:
    """Return seconds since 1970, written as a decimal, as milliseconds, floored; None if the text is no decimal."""
    return whole(text, 3)


def double_seconds(value: float) -> int | None:
    """Return seconds since 1970, rounded to the nearest microsecond (half up), as milliseconds, floored.

    None for what is not a number, is infinite, or lies beyond all calendar years.
    """
    if not -LARGEST_SECONDS < value < LARGEST_SECONDS:
        return None
    top, bottom = value.as_integer_ratio()
    return (2 * top * 1_000_000 + bottom) // (2 * bottom) // 1_000
