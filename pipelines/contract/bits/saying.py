"""Saying: what an action makes of one raw value, and the few raw values that stand for all of a type.

Between two neighbours of `probes` no action of the given ones changes its mind, so what holds for the probes holds for
every value. A value that an action refuses has no record, and so nothing to link.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pipelines.contract.actions import Action, Bucket, Keep, MapTo, Matches, Number, OneOf, Present, Scalar, Within
from pipelines.contract.avro import AvroType, Enum, Fixed, Primitive
from pipelines.contract.bits.values import limits
from pipelines.contract.floats import next_below
from pipelines.contract.readings import real, whole

REFUSED: Final = object()
_OTHER_TEXT: Final = "\x00any other text"


def saying(action: Action) -> Callable[[Scalar | float], object]:
    """What the action says of a leaf's value, or `REFUSED`. Times, counts and handles are none of its matter."""
    match action:
        case Keep():
            return lambda value: value
        case Present():
            return lambda _: True
        case Within(low, high):
            return lambda value: value if isinstance(value, int) and low <= value <= high else REFUSED
        case Bucket(edges, None):
            return lambda value: _edge(edges, value)
        case Bucket(edges):
            return lambda value: _edge(edges, _number(action, value))
        case OneOf(texts, otherwise):
            return _table(dict(zip(texts, texts, strict=True)), otherwise)
        case Matches():
            return _table(dict(zip(action.strings, action.strings, strict=True)), None)
        case MapTo(pairs, otherwise):
            return _table(dict(reversed(pairs)), otherwise)
        case _:
            raise TypeError(f"{type(action).__name__} says nothing of a single value")


def _edge(edges: tuple[Number, ...], value: Scalar | float) -> object:
    at = bisect_right(edges, value) if isinstance(value, int | float) else 0
    return edges[at - 1] if at else REFUSED


def _number(action: Bucket, value: Scalar | float) -> Scalar | float:
    """A text as a bucket reads it; what cannot be read stays a text, which is in no range."""
    text = value.encode() if isinstance(value, str) else b""
    number = real(text) if action.fractional else whole(text)
    return value if number is None else number


def _table(known: Mapping[Any, str], otherwise: str | None) -> Callable[[Scalar | float], object]:
    left = REFUSED if otherwise is None else otherwise
    return lambda value: known.get(value, left)


def probes(avro_type: AvroType, actions: Iterable[Action]) -> Iterator[Scalar | float]:
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
            least, most = limits(avro_type)
            marks = {mark for action in actions for mark in _marks(action)} or {0}
            around = sorted({close for mark in marks for close in near(mark, avro_type)})
            yield from (value for value in around if least <= value <= most)
        case _:
            raise TypeError("a container has no single value")


def near(mark: Number, avro_type: AvroType) -> tuple[Number, ...]:
    """A mark and its neighbours; of a fraction the next number of the field's type below it."""
    if isinstance(mark, float):
        return next_below(mark, avro_type.name if isinstance(avro_type, Primitive) else "double"), mark
    return mark - 1, mark, mark + 1


def _texts(action: Action) -> Iterable[str]:
    match action:
        case OneOf(texts):
            return texts
        case Matches():
            return action.strings
        case MapTo(pairs):
            return (value for value, _ in pairs if isinstance(value, str))
        case Bucket(edges):  # two spellings of each edge: another action may name one of them
            return (text for edge in edges for text in _spellings(edge))
        case _:
            return ()


def _spellings(edge: Number) -> tuple[str, str]:
    text = f"{Decimal(repr(edge)):f}"
    return (text, f"{text}0") if "." in text else (text, f"{text}.0")


def _marks(action: Action) -> Iterable[Number]:
    match action:
        case Within(low, high):
            return range(low, high + 1)
        case Bucket(edges):
            return edges
        case MapTo(pairs):
            return (value for value, _ in pairs if isinstance(value, int))
        case _:
            return ()


def together(actions: Sequence[Action], avro_type: AvroType) -> frozenset[Any]:
    """Return everything that several actions can say of one value, as tuples; what one refuses is left out."""
    sayings = [saying(action) for action in actions]
    said = (tuple(say(value) for say in sayings) for value in probes(avro_type, actions))
    return frozenset(one for one in said if REFUSED not in one)
