"""Meeting: how many kinds two purposes can share at most of one raw field.

All rules that a purpose has on the field, in all its views, cut its values into classes. Two classes meet if some value
is in both. The largest matching of the classes that meet is the most that both can share: over every distribution of
the values, log2 of it is the most that one class tells of the other, and a uniform distribution over the matching
attains it (docs/decisions/0102).

A value that a rule refuses leaves its view without a record. Of a purpose with several views that is a class, too,
unless all of them refuse the value: then there is nothing to link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from pipelines.contract.actions import Action, Handle, Present, Truncate
from pipelines.contract.avro import AvroType
from pipelines.contract.bits.counting import either
from pipelines.contract.bits.places import Place, Want
from pipelines.contract.bits.saying import REFUSED, probes, saying
from pipelines.contract.linkage.bipartite import Edge, largest_matching
from pipelines.contract.linkage.times import matched_times

Wants = tuple[Want, ...]


def meet(one: Wants, other: Wants, views: tuple[int, int], places: Sequence[Place]) -> int:
    """Return how many kinds two purposes share of a leaf, null apart unless it is a limited time's.

    Times have too many classes to list, so they are bounded by arithmetic (`times`): limited ones at one broker time,
    null for a value that is there included. Nor is it exact where a handle's refusal leaves another view its record.

    Args:
        one: what one purpose wants of the leaf.
        other: what the other purpose wants.
        views: how many views each of them has.
        places: what each version has there, without null.
    """
    sides = one, other
    told = tuple(_telling(side) for side in sides)
    by_handle = any(
        isinstance(want.action, Handle) and number > 1
        for side, number in zip(sides, views, strict=True)
        for want in side
    )
    if by_handle or (views == (1, 1) and told[0] == told[1]):
        return min(most_said(side, number, places) for side, number in zip(sides, views, strict=True))
    if not all(told):
        return 1
    whole = tuple(_in_all(side, number) for side, number in zip(sides, views, strict=True))
    if any(isinstance(action, Truncate) for side in told for action in side):
        most = min(most_said(side, number, places) for side, number in zip(sides, views, strict=True))
        return min(most, _times(told, most) + (not any(whole)))  # what one time refuses, all refuse
    types = dict.fromkeys(place.type for place in places if place.type is not None)
    return max(largest_matching({edge for kind in types for edge in _edges(told, whole, kind)}), 1)


def most_said(some: Wants, views: int, places: Sequence[Place]) -> int:
    """Return how many things a purpose of so many views can say at most of what is at a place, and below it.

    A bound: any selection of views can be all that has a record, but views that want the same refuse the same.
    """
    by_view: dict[int, tuple[Want, ...]] = {}
    for want in some:
        by_view[want.view] = (*by_view.get(want.view, ()), replace(want, view=0))
    kinds = list(dict.fromkeys(by_view.values()))
    if _read_alike([want for wanted in kinds for want in wanted]):
        kinds = [tuple(want for wanted in kinds for want in wanted)]
    said = (
        either(places, tuple(dict.fromkeys(want for wanted in chosen for want in wanted)))
        for size in range(1, len(kinds) + 1)
        for chosen in combinations(kinds, size)
    )
    return max(sum(said) + (len(by_view) < views), 1)


def _telling(some: Wants) -> tuple[Action, ...]:
    """The actions that tell something of a value that is there, each once."""
    return tuple(dict.fromkeys(want.action for want in some if not isinstance(want.action, Present | Handle)))


def _in_all(some: Wants, views: int) -> bool:
    """Whether every view of a purpose tells of the leaf, and so has no record of a value that all of them refuse."""
    return len({want.view for want in some if not isinstance(want.action, Present | Handle)}) == views


def _read_alike(some: Sequence[Want]) -> bool:
    """Whether nothing but times is wanted of a leaf, read in one way, so that all of them refuse the same values."""
    times = [want.action for want in some if isinstance(want.action, Truncate) and not want.hops]
    return len(times) == len(some) and len({time.read for time in times}) == 1


def _times(told: Sequence[Sequence[Action]], most: int) -> int:
    """The same as `meet` for two sides of which one has a time: no more than the one says that says less."""
    one, other = ([action for action in side if isinstance(action, Truncate)] for side in told)
    same = len(one) + len(other) == sum(map(len, told)) and len({time.read for time in (*one, *other)}) == 1
    return matched_times(one, other, most) if same else most


def _edges(told: Sequence[Sequence[Action]], whole: Sequence[bool], kind: AvroType) -> Iterator[Edge]:
    """The pairs of classes that a value of the type can have, and of which both purposes have a record."""
    says = [[saying(action) for action in side] for side in told]
    for value in probes(kind, [action for side in told for action in side]):
        one, other = (tuple(say(value) for say in side) for side in says)
        refused = (all(said is REFUSED for said in side) for side in (one, other))
        if not any(none and is_whole for none, is_whole in zip(refused, whole, strict=True)):
            yield one, other
