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
from itertools import combinations
from math import lcm, prod
from typing import Final

from pipelines.contract.actions import Action, CountWhere, Handle, Present, Truncate, is_limited
from pipelines.contract.avro import Array, Map, Record
from pipelines.contract.bits.places import (
    ITEM,
    Place,
    Want,
    below,
    blank_there,
    hops,
    may_be_blank,
    reached,
    split,
    there,
    wants,
)  # fmt: skip
from pipelines.contract.bits.saying import together
from pipelines.contract.bits.times import joint_times
from pipelines.contract.bits.values import COARSE, can_match, coarse_up_to, common, values
from pipelines.contract.model import RawSchema, Rule

# Beyond this a number is bounded by a power of two: it is far above any budget, and no smaller one comes near.
_EXACT_BITS: Final = 65_536
_MOST_COMPARED: Final = 6


def bodies(versions: Sequence[RawSchema], rules: Iterable[Rule]) -> int:
    """How many distinct bodies these rules can give."""
    return either([Place(version.record) for version in versions], wants(rules))


def items(versions: Sequence[RawSchema], rules: Sequence[Rule]) -> int:
    """How many distinct items these rules, which all go into one array, can give."""
    depth = next(at for at, hop in enumerate(hops(rules[0])) if hop == ITEM) + 1
    places = [reached(Place(version.record), hops(rules[0])[:depth]) for version in versions]
    return either([place for place in places if place.type is not None], wants(rules, depth))


def either(places: Sequence[Place], some: tuple[Want, ...]) -> int:
    """How many bodies one version or another can give."""
    sizes = {place: _all([place], some) for place in places}
    distinct = [place for place in dict.fromkeys(places) if sizes[place]]
    kept: list[Place] = []
    for place in sorted(distinct, key=lambda one: -sizes[one]):  # what a larger one covers adds nothing
        if not any(_all([place, larger], some) == sizes[place] for larger in kept):
            kept.append(place)
    bound = sum(sizes[place] for place in kept)
    if len(kept) > _MOST_COMPARED or bound.bit_length() > _EXACT_BITS:
        return bound
    return sum(
        (-1) ** (size - 1) * _all(few, some) for size in range(1, len(kept) + 1) for few in combinations(kept, size)
    )


def _all(places: Sequence[Place], some: tuple[Want, ...]) -> int:
    """How many bodies every one of these places can give."""
    blank = all(may_be_blank(place, some) for place in places)
    if any(place.type is None for place in places):
        return int(blank)
    whole = there(places)
    return _all_there(whole, some) - all(blank_there(place, some) for place in whole) + blank


def _all_there(places: Sequence[Place], some: tuple[Want, ...]) -> int:
    """The same, when nothing is null at the place itself."""
    here, inside = split(some)
    types = [place.type for place in places if place.type is not None]
    if not inside:
        return _told([want.action for want in here], places)
    match types[0]:
        case Record():
            return prod(_all([below(place, hop) for place in places], wanted) for hop, wanted in inside.items())
        case Array():
            ((_, wanted),) = inside.items()
            return _arrays(_all([below(place, ITEM) for place in places], wanted), places, here)
        case _:
            return _maps(
                [_all([below(place, hop) for place in places], wanted) for hop, wanted in inside.items()], here
            )


def _told(actions: Sequence[Action], places: Sequence[Place]) -> int:
    """How many things several actions can say together of one raw value that is there; of a container, a bound."""
    telling = [action for action in dict.fromkeys(actions) if not isinstance(action, Present | Handle)]
    if len(telling) <= 1:
        only = [*telling, *actions][0]
        return _values(only, places) + is_limited(only)
    times = [action for action in telling if isinstance(action, Truncate)]
    if len(times) == len(telling):
        limited, plain = [one for one in times if is_limited(one)], [one for one in times if not is_limited(one)]
        cells = _steps([one.step_ms for one in plain], places)
        return joint_times(limited, plain, cells or 1) if limited else cells
    # Of a text, other actions may tell beside its time: a bound.
    if times or any(isinstance(place.type, Array | Map) for place in places):
        return prod(_values(action, places) + is_limited(action) for action in telling)
    return common([together(telling, place.type) for place in places if place.type is not None])


def _steps(steps: Sequence[int], places: Sequence[Place]) -> int:
    """How many times all steps together tell apart."""
    return sum(
        (-1) ** (size - 1) * _values(Truncate(lcm(*some)), places)
        for size in range(1, len(steps) + 1)
        for some in combinations(steps, size)
    )


def _values(action: Action, places: Sequence[Place]) -> int:
    return common([values(action, place.type, place.max_items) for place in places if place.type is not None])


def _arrays(each: int, places: Sequence[Place], here: Sequence[Want]) -> int:
    """Arrays of 0 … `max_items` items, of which each can be `each` things.

    How many there are, and that there is an array at all, shows already; how many count may be said besides. That bound
    is exact unless the items show what is compared.
    """
    most = max(place.max_items or 0 for place in places)
    if most * each.bit_length() > _EXACT_BITS:
        return 1 << most * each.bit_length() + len(COARSE)
    types = [place.type for place in places if place.type is not None]
    wheres = {want.action for want in here if isinstance(want.action, CountWhere)}
    telling = sum(all(can_match(where, avro_type) for avro_type in types) for where in wheres)
    return sum(
        len(coarse_up_to(low)) ** telling * powers(each, low, min(following - 1, most))
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


def _maps(entries: Sequence[int], here: Sequence[Want]) -> int:
    """A map's entries, each of which may be missing; a count of them cannot be lower than those that show."""
    if all(isinstance(want.action, Present) for want in here):
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
