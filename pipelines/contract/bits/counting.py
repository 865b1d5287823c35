"""Counting: how many distinct bodies a set of rules can give, over all versions of a raw schema. Whole numbers only.

A body is one value for each output. Outputs are not independent: a record that is null makes all its fields null at
once, an array of n items makes its count n, and a version may lack a field. So one version's bodies are counted along
its schema, and those of all versions by inclusion and exclusion:

    |A or B| = |A| + |B| - |A and B|

What several versions can all write is counted along their schemas side by side. Where a place may have nothing, all
outputs below it are blank (null, or false for `present`); that one body is never counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Final

from pipelines.contract.actions import Action, CountWhere, Present
from pipelines.contract.avro import Array, AvroType, Map, Nullable, Record, not_null
from pipelines.contract.bits.values import COARSE, can_match, coarse_up_to, common, values
from pipelines.contract.model import RawSchema, Rule

ITEM: Final = "[]"
_Hop = str | tuple[str]
# Beyond this a number is bounded by a power of two: it is far above any budget, and no smaller one comes near.
_EXACT_BITS: Final = 65_536
_MOST_COMPARED: Final = 6


@dataclass(frozen=True, slots=True)
class _Want:
    hops: tuple[_Hop, ...]
    action: Action


@dataclass(frozen=True, slots=True)
class _Place:
    """What one version has at a place; `type` is None where it has nothing."""

    type: AvroType | None
    max_items: int | None = None


def bodies(versions: Sequence[RawSchema], rules: Iterable[Rule]) -> int:
    """How many distinct bodies these rules can give."""
    return _either([_Place(version.record) for version in versions], _wants(rules, 0))


def items(versions: Sequence[RawSchema], rules: Sequence[Rule]) -> int:
    """How many distinct items these rules, which all go into one array, can give."""
    depth = next(at for at, hop in enumerate(_hops(rules[0])) if hop == ITEM) + 1
    places = [_reached(_Place(version.record), _hops(rules[0])[:depth]) for version in versions]
    return _either([place for place in places if place.type is not None], _wants(rules, depth))


def _wants(rules: Iterable[Rule], depth: int) -> tuple[_Want, ...]:
    return tuple(_Want(_hops(rule)[depth:], rule.action) for rule in rules)


def _hops(rule: Rule) -> tuple[_Hop, ...]:
    hops: list[_Hop] = []
    for step in rule.path.steps:
        hops.append(step.field)
        if step.items:
            hops.append(ITEM)
        elif step.key is not None:
            hops.append((step.key,))
    return tuple(hops)


def _reached(place: _Place, hops: Sequence[_Hop]) -> _Place:
    for hop in hops:
        if place.type is None:
            break
        place = _below(_Place(not_null(place.type), place.max_items), hop)
    return place


def _either(places: Sequence[_Place], wants: tuple[_Want, ...]) -> int:
    """How many bodies one version or another can give."""
    sizes = {place: _all([place], wants) for place in places}
    distinct = [place for place in dict.fromkeys(places) if sizes[place]]
    kept: list[_Place] = []
    for place in sorted(distinct, key=lambda one: -sizes[one]):  # what a larger one covers adds nothing
        if not any(_all([place, larger], wants) == sizes[place] for larger in kept):
            kept.append(place)
    bound = sum(sizes[place] for place in kept)
    if len(kept) > _MOST_COMPARED or bound.bit_length() > _EXACT_BITS:
        return bound
    return sum(
        (-1) ** (size - 1) * _all(some, wants) for size in range(1, len(kept) + 1) for some in combinations(kept, size)
    )


def _all(places: Sequence[_Place], wants: tuple[_Want, ...]) -> int:
    """How many bodies every one of these places can give."""
    blank = all(_may_be_blank(place, wants) for place in places)
    if any(place.type is None for place in places):
        return int(blank)
    there = [_Place(not_null(place.type), place.max_items) for place in places if place.type is not None]
    return _all_there(there, wants) - all(_blank_there(place, wants) for place in there) + blank


def _all_there(places: Sequence[_Place], wants: tuple[_Want, ...]) -> int:
    """The same, when nothing is null at the place itself."""
    here, below = _split(wants)
    types = [place.type for place in places if place.type is not None]
    if not below:
        sets = [values(here[0].action, place.type, place.max_items) for place in places if place.type is not None]
        return common(sets)
    match types[0]:
        case Record():
            return prod(_all([_below(place, hop) for place in places], inside) for hop, inside in below.items())
        case Array():
            ((_, inside),) = below.items()
            return _arrays(_all([_below(place, ITEM) for place in places], inside), places, here)
        case _:
            return _maps(
                [_all([_below(place, hop) for place in places], inside) for hop, inside in below.items()], here
            )


def _arrays(each: int, places: Sequence[_Place], here: Sequence[_Want]) -> int:
    """Arrays of 0 … `max_items` items, of which each can be `each` things.

    How many there are, and that there is an array at all, shows already; how many count may be said besides. That bound
    is exact unless the items show what is compared.
    """
    most = max(place.max_items or 0 for place in places)
    if most * each.bit_length() > _EXACT_BITS:
        return 1 << most * each.bit_length() + len(COARSE)
    where = next((want.action for want in here if isinstance(want.action, CountWhere)), None)
    if where is None or not all(can_match(where, place.type) for place in places if place.type is not None):
        return powers(each, 0, most)
    return sum(
        len(coarse_up_to(low)) * powers(each, low, min(following - 1, most))
        for low, following in zip(COARSE, (*COARSE[1:], most + 1), strict=True)
        if low <= most
    )


def powers(base: int, low: int, high: int) -> int:
    """The sum of `base` to the powers `low` … `high`, and 0 when there are none."""
    if high < low:
        return 0
    if base <= 1:
        return (high - low + 1) * base + (low == 0) * (1 - base)
    return int((base ** (high + 1) - base**low) // (base - 1))


def _maps(entries: Sequence[int], here: Sequence[_Want]) -> int:
    """A map's entries, each of which may be missing; a count of them cannot be lower than those that show."""
    if not here or isinstance(here[0].action, Present):
        return prod(entries)
    showing = [1]  # how many bodies have 0, 1, 2 … entries that are not blank
    for entry in entries:
        showing = [
            (showing[at] if at < len(showing) else 0) + (showing[at - 1] * (entry - 1) if at else 0)
            for at in range(len(showing) + 1)
        ]
    return sum(many * _counts_from(at) for at, many in enumerate(showing))


def _counts_from(least: int) -> int:
    """How many floored counts `least` or more entries can have: 64 stands for any number from there on."""
    return len([step for step in COARSE if step == COARSE[-1] or max(2 * step - 1, 0) >= least])


def _split(wants: tuple[_Want, ...]) -> tuple[list[_Want], dict[_Hop, tuple[_Want, ...]]]:
    below: dict[_Hop, tuple[_Want, ...]] = {}
    for want in wants:
        if want.hops:
            below[want.hops[0]] = (*below.get(want.hops[0], ()), _Want(want.hops[1:], want.action))
    return [want for want in wants if not want.hops], below


def _below(place: _Place, hop: _Hop) -> _Place:
    match place.type:
        case Record() as record:
            field = record.field(hop) if isinstance(hop, str) else None
            return _Place(None) if field is None else _Place(field.type, field.max_items)
        case Array(items=inner):
            return _Place(inner)
        case Map(values=inner):
            return _Place(inner if isinstance(inner, Nullable) else Nullable(inner))  # an entry may be missing
        case _:
            return _Place(None)


def _may_be_blank(place: _Place, wants: tuple[_Want, ...]) -> bool:
    if place.type is None or isinstance(place.type, Nullable):
        return True
    return _blank_there(place, wants)


def _blank_there(place: _Place, wants: tuple[_Want, ...]) -> bool:
    """Whether all outputs can be blank although there is a value: only where none tells of the place itself."""
    here, below = _split(wants)
    if here or isinstance(place.type, Array):
        return False
    return all(_may_be_blank(_below(place, hop), inside) for hop, inside in below.items())
