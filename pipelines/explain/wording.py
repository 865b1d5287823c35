"""Wording: what an action does, in a sentence that a privacy reviewer can sign. Says nothing of any event."""

from __future__ import annotations

from typing import Final, assert_never

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Truncate,
    Within,
)
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS
from pipelines.contract.report import counted

_UNITS: Final = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (1000, "s"))
_DAYS_FROM_MS: Final = 4 * DAY_MS
_SHOWN: Final = 8
_COUNTS: Final = "0, 1, 2, 4, 8, 16, 32 or 64"
_OR_QUARANTINE: Final = "anything else: this view gets nothing, and quarantine a note without the value"


def duration(milliseconds: int) -> str:
    """A span as people say it: `48 h`, `30 d`, `15 min`."""
    for size, unit in _UNITS:
        if milliseconds and milliseconds % size == 0 and not (unit == "d" and milliseconds < _DAYS_FROM_MS):
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"


def action_words(action: Action, *, kind: str | None, whole: bool = False) -> str:
    """What the action lets through.

    Args:
        kind: the identifier that the purpose's handles stand for, for a handle's sentence.
        whole: every word of a list, however long, as whoever signs must see it; otherwise a list's name and length.
    """
    most = None if whole else _SHOWN
    match action:
        case Keep():
            return "the value as it is"
        case Within(low, high):
            return f"the number as it is, if it lies from {low} to {high}; {_OR_QUARANTINE}"
        case Bucket(edges, read):
            told = f"only which range the number falls into: from {_listed(edges, most)}; below: a quarantine note"
            return f"{told}{_read(read)}"
        case Truncate(step_ms, within_ms, read):
            return f"the time, rounded down to {duration(step_ms)} (UTC){_far(within_ms)}{_read(read)}"
        case OneOf(values, otherwise, list_name):
            words = _listed(values, most)
            known = (
                f"the list '{list_name}' ({words if whole else counted(len(values), 'word')})" if list_name else words
            )
            return f"the text if it is one of {known}; {_else(otherwise)}"
        case Matches(pattern, _, strings):
            return f"the text if it matches {pattern} ({len(strings):,} possible texts); {_OR_QUARANTINE}"
        case MapTo(pairs, otherwise):
            translated = _listed([f"{_value(given)} → {text}" for given, text in pairs], most)
            return f"a word for the value: {translated}; {_else(otherwise)}"
        case Count():
            return f"only how many there are, rounded down to {_COUNTS}"
        case CountWhere(field, values):
            return f"only how many have {field} = {' or '.join(_value(v) for v in values)}, rounded down to {_COUNTS}"
        case Present():
            return "only whether there is a value"
        case Handle():
            return f"a keyed handle of the {kind or 'identifier'}, 16 bytes, different in every purpose and epoch"
    assert_never(action)


def _far(within_ms: int | None) -> str:
    return "" if within_ms is None else f"; nothing if it lies more than {duration(within_ms)} from its arrival"


def _else(otherwise: str | None) -> str:
    return _OR_QUARANTINE if otherwise is None else f"anything else becomes '{otherwise}'"


def _read(rule: str | None) -> str:
    return "" if rule is None else f"; read as {rule}, and what cannot be read: a quarantine note"


def _listed(values: tuple[object, ...] | list[str], most: int | None) -> str:
    shown = ", ".join(_value(value) for value in values[:most])
    return shown if most is None or len(values) <= most else f"{shown} … ({len(values)} in all)"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
