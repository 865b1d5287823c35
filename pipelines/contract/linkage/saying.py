"""Saying: what an action makes of one raw value, and the few raw values that stand for all of a type.

Between two neighbours of `probes` no action of the given ones changes its mind, so what holds for the probes holds for
every value. A value that an action refuses has no record, and so nothing to link.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from pipelines.contract.actions import Action, Bucket, CountWhere, Keep, MapTo, Matches, OneOf, Present, Scalar, Within
from pipelines.contract.avro import AvroType, Enum, Fixed, Primitive

REFUSED: Final = object()
_OTHER_TEXT: Final = "\x00any other text"


def says(action: Action, value: Scalar) -> object:
    """What the action says of a leaf's value, or `REFUSED`. Times, counts and handles are none of its matter."""
    match action:
        case Keep():
            return value
        case Present():
            return True
        case Within(low, high):
            return value if isinstance(value, int) and low <= value <= high else REFUSED
        case Bucket(edges):
            at = bisect_right(edges, value) if isinstance(value, int) else 0
            return edges[at - 1] if at else REFUSED
        case OneOf(texts, otherwise):
            return value if value in texts else _else(otherwise)
        case Matches():
            return value if value in action.strings else REFUSED
        case MapTo(pairs, otherwise):
            return next((text for known, text in pairs if known == value), _else(otherwise))
        case CountWhere(_, values):  # of the field that it compares
            return value in values
        case _:
            raise TypeError(f"{type(action).__name__} says nothing of a single value")


def probes(avro_type: AvroType, actions: Iterable[Action]) -> Iterator[Scalar]:
    """Values of the type, one at least for everything that the actions can say together."""
    match avro_type:
        case Primitive(name="boolean"):
            yield from (False, True)
        case Enum(symbols=symbols):
            yield from symbols
        case Primitive(name="string"):
            yield from dict.fromkeys(text for action in actions for text in _texts(action))
            yield _OTHER_TEXT
        case Primitive() | Fixed():
            marks = {mark for action in actions for mark in _marks(action)} or {0}
            yield from sorted({near for mark in marks for near in (mark - 1, mark, mark + 1)})
        case _:
            raise TypeError("a container has no single value")


def _else(otherwise: str | None) -> object:
    return REFUSED if otherwise is None else otherwise


def _texts(action: Action) -> Iterable[str]:
    match action:
        case OneOf(texts):
            return texts
        case Matches():
            return action.strings
        case MapTo(pairs):
            return (value for value, _ in pairs if isinstance(value, str))
        case CountWhere(_, values):
            return (value for value in values if isinstance(value, str))
        case _:
            return ()


def _marks(action: Action) -> Iterable[int]:
    match action:
        case Within(low, high):
            return range(low, high + 1)
        case Bucket(edges):
            return edges
        case MapTo(pairs):
            return (value for value, _ in pairs if isinstance(value, int))
        case CountWhere(_, values):
            return (value for value in values if isinstance(value, int))
        case _:
            return ()
