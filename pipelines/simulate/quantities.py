"""Numbers: within what the views allow, and otherwise heavy-tailed, as sizes and durations are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipelines.contract.avro import Primitive
from pipelines.simulate.draw import Draw
from pipelines.simulate.limits import Limits

_LARGEST: Final = {"int": 2**31 - 1, "long": 2**53}
_EXAMPLE_LARGEST: Final = 1_000_000


def number_maker(leaf: object, limits: Limits) -> Callable[[Draw, object], object]:
    """The maker for an int, long, float or double. A given number is used where the views allow it."""
    name = leaf.name if isinstance(leaf, Primitive) else "double"
    whole = name in _LARGEST
    largest = _LARGEST.get(name, 2**53)
    low, high = limits.low, limits.high
    bottom = low if low is not None else -largest if whole else float("-inf")
    top = high if high is not None else largest
    words = tuple(word for word in limits.allowed or limits.suggested if isinstance(word, int))
    allowed = frozenset(words) if limits.allowed is not None else None
    edges = limits.edges

    def fresh(draw: Draw) -> float:
        if words and bottom <= (word := words[int(draw.random() * len(words))]) <= top:
            return word
        if high is not None:
            floor = low if low is not None else 0
            return floor + draw.random() * (high - floor + 1)
        if edges:
            place = int(draw.random() * len(edges))
            above = edges[place + 1] if place + 1 < len(edges) else min(2 * edges[place] + 10, largest)
            return max(edges[place] + draw.random() * (above - edges[place]), bottom)
        return draw.heavy(1, _EXAMPLE_LARGEST)

    def make(draw: Draw, given: object) -> object:
        if (
            isinstance(given, int | float)
            and not isinstance(given, bool)
            and bottom <= given <= top
            and (allowed is None or given in allowed)
        ):
            return int(given) if whole else float(given)
        value = fresh(draw)
        return min(int(value), int(top)) if whole else min(float(value), float(top))

    return make
