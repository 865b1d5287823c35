"""The order of actions: which of two tells more of a raw value.

An action is a function of the raw value; a bound fault, which holds the record back, is an outcome of its own. One
action tells no more than another when its outcome can be computed from the other's, and what the other holds back stays
back. Both ways: they tell the same in other words. Neither: they cannot be compared, and a reviewer judges.

Every action but times is constant between a few points, so it is tried on those: all texts that either action names and
one that neither does, all edges and the numbers beside them, all symbols. That decides it exactly. `present` stands
below everything by definition, except a limited time: its null hides whether there is a value.

A limited time is a function of the raw time and of the broker's, whose step each record tells anyway. `to'` within
`w'` follows from `to` within `w` exactly if `to` divides `to'` and to' + w' <= to + w. At a broker time b the old one
tells cells of `to` in [floor(b, to) - w, floor(b, to) + w + to), and one thing of all that lies outside. So the new
window must lie in the old one for every b, and its cells be made of old cells. floor(b, to) - floor(b, to') is any
multiple of `to` from 0 to to' - to, and at either end of that the condition is the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from enum import Enum as PythonEnum
from typing import Any, Final

from pipelines.contract.actions import (
    Action,
    Bucket,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Scalar,
    Truncate,
    Within,
    is_limited,
)
from pipelines.contract.avro import AvroType, Enum, Primitive, not_null
from pipelines.contract.bits.saying import near

_HELD_BACK: Final = object()
_NO_TEXT: Final = "\0no text that an action names"
_BY_POINTS: Final = (Keep, Within, Bucket, OneOf, Matches, MapTo)


class Order(PythonEnum):
    """How the new action stands to the old one."""

    SAME = "tells the same in other words"
    FINER = "tells more"
    COARSER = "tells less"
    APART = "cannot be compared"


def order(old: Action, new: Action, raw: tuple[AvroType, AvroType]) -> Order:
    """How a new action stands to an old one, on the raw types that each is for."""
    if old == new or (isinstance(old, Present) and isinstance(new, Present)):
        return Order.SAME
    if isinstance(new, Present):
        return Order.APART if is_limited(old) else Order.COARSER
    if isinstance(old, Present):
        return Order.FINER
    if _read(old) != _read(new):
        return Order.APART
    raw = compared(old, raw)
    if isinstance(old, Truncate) and isinstance(new, Truncate):
        return _either(less=_time_follows(old, new), more=_time_follows(new, old))
    if isinstance(old, _BY_POINTS) and isinstance(new, _BY_POINTS):
        before, after = _outcomes(old), _outcomes(new)
        pairs = [(before(point), after(point)) for point in _points(old, new, raw)]
        return _either(less=_follows(pairs), more=_follows([(then, first) for first, then in pairs]))
    return Order.APART


def follows(old: Action, new: Action, raw: AvroType) -> bool:
    """Whether a new action's outcome can be computed from the old one's wherever that one lets a record through.

    This is for a view that goes on holding back what the old action held back, as it is under an overlay.
    """
    if old == new or (isinstance(new, Present) and not is_limited(old)):
        return True
    if _read(old) != _read(new):
        return False
    if isinstance(old, Truncate) and isinstance(new, Truncate):
        return _time_follows(old, new)
    if not (isinstance(old, _BY_POINTS) and isinstance(new, _BY_POINTS)):
        return False
    said: dict[Hashable, Hashable] = {}
    pairs = (outcomes for _, outcomes in _pairs(old, new, raw))
    return all(said.setdefault(first, second) == second for first, second in pairs if first is not _HELD_BACK)


def held_back(old: Action, new: Action, raw: AvroType) -> list[str]:
    """What a new action, which `follows` from the old one, holds back although the old one lets it through.

    Returns:
        The raw values in words that the actions themselves have; none when it holds back no more.
    """
    if not (isinstance(old, _BY_POINTS) and isinstance(new, _BY_POINTS)) or _read(old) != _read(new):
        return []
    return [
        "any other text" if point == _NO_TEXT else repr(point)
        for point, (first, second) in _pairs(old, new, raw)
        if second is _HELD_BACK and first is not _HELD_BACK
    ]


def _pairs(old: Action, new: Action, raw: AvroType) -> Iterator[tuple[Scalar | float, tuple[Hashable, Hashable]]]:
    before, after = _outcomes(old), _outcomes(new)
    return ((point, (before(point), after(point))) for point in _points(old, new, compared(old, (raw, raw))))


def _read(action: Action) -> str | None:
    """How an action reads a text or a number: what is read in two ways cannot be compared."""
    return action.read if isinstance(action, Bucket | Truncate) else None


def compared(action: Action, raw: tuple[AvroType, AvroType]) -> tuple[AvroType, AvroType]:
    """The types that actions compare: of a text that is read as a number, a number."""
    return raw if _read(action) is None else (Primitive("double"), Primitive("double"))


def _time_follows(old: Truncate, new: Truncate) -> bool:
    """Whether a truncated time can be computed from another and the broker's time, as the module says."""
    if new.step_ms % old.step_ms:
        return False
    if old.within_ms is None:
        return True
    return new.within_ms is not None and new.step_ms + new.within_ms <= old.step_ms + old.within_ms


def _either(*, less: bool, more: bool) -> Order:
    if less and more:
        return Order.SAME
    if less:
        return Order.COARSER
    return Order.FINER if more else Order.APART


def _follows(pairs: Iterable[tuple[Hashable, Hashable]]) -> bool:
    """Whether the second outcome follows from the first, and is held back wherever the first is."""
    said: dict[Hashable, Hashable] = {_HELD_BACK: _HELD_BACK}
    return all(said.setdefault(first, second) == second for first, second in pairs)


def _points(old: Action, new: Action, raw: tuple[AvroType, AvroType]) -> list[Scalar | float]:
    points: dict[tuple[type, Scalar | float], None] = {}
    for avro_type in map(not_null, raw):
        match avro_type:
            case Enum(_, symbols):
                points |= dict.fromkeys((str, symbol) for symbol in symbols)
            case Primitive("boolean"):
                points |= dict.fromkeys((bool, either) for either in (False, True))
            case Primitive("string"):
                named = (*_named(old), *_named(new), _NO_TEXT)
                points |= dict.fromkeys((str, text) for text in named if isinstance(text, str))
            case _:
                named = (*_named(old), *_named(new))
                numbers = [number for number in named if isinstance(number, int | float)]
                points |= dict.fromkeys((int, point) for number in numbers for point in near(number, avro_type))
    return [point for _, point in points]


def _named(action: Action) -> Iterable[Scalar | float]:
    match action:
        case Within(low, high):
            return range(low, high + 1)
        case Bucket(edges):
            return edges
        case OneOf(values):
            return values
        case Matches(strings=strings):
            return strings
        case MapTo(pairs):
            return [raw for raw, _ in pairs]
        case _:
            return ()


def _outcomes(action: Action) -> Callable[[Scalar | float], Hashable]:
    match action:
        case Within(low, high):
            return lambda raw: raw if isinstance(raw, int) and low <= raw <= high else _HELD_BACK
        case Bucket(edges):
            lower = (_HELD_BACK, *edges)
            return lambda raw: lower[bisect_right(edges, raw)] if isinstance(raw, int | float) else _HELD_BACK
        case OneOf(values, otherwise):
            return _table({text: text for text in values}, otherwise)
        case Matches(strings=strings):
            return _table({text: text for text in strings}, None)
        case MapTo(pairs, otherwise):
            return _table(dict(pairs), otherwise)
        case _:
            return lambda raw: raw


def _table(says: Mapping[Any, str], otherwise: str | None) -> Callable[[Scalar | float], Hashable]:
    rest: Hashable = _HELD_BACK if otherwise is None else otherwise
    return lambda raw: says.get(raw, rest)
