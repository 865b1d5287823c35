"""Sharing: how much two purposes can share of one event type, by all rules of their views, along its raw schema.

Raw leaves are taken as independent of each other, so what is shared of each multiplies. What the schema itself makes
dependent is counted as such: a record's null makes everything below it null at once and counts once, and so does a
version that lacks fields. An array, and a map whose entries are counted, is one thing: the side that says less of it
bounds what is shared. A refused value leaves its view without a record, and is counted at its own leaf (`meeting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from pipelines.contract.actions import Present
from pipelines.contract.avro import Array, Map, Record
from pipelines.contract.bits.places import Hop, Place, below, blank_there, may_be_blank, split, there
from pipelines.contract.linkage.meeting import Wants, meet, most_said


class Sharing:
    """What is shared of each raw field, by path, after `count` went over an event type.

    `views` is how many views each purpose has of it; a `Want` says in `view` which of them it is of.
    """

    def __init__(self, views: tuple[int, int]) -> None:
        self._views = views
        self.fields: dict[str, int] = {}

    def count(self, places: Sequence[Place], one: Wants, other: Wants, path: str = "", *, null: bool = False) -> int:
        """Return into how many kinds both sides can sort what is at a place: at least 1.

        Args:
            places: what each version has there.
            one: what one side wants of it.
            other: what the other side wants.
            path: how the place is called.
            null: something around the place may be null, which is counted there.
        """
        if not one or not other:
            return 1
        nothing = any(place.nothing_possible for place in places)
        whole = there(places)
        if not whole:
            return 1
        apart = nothing and not (blank(whole, one, other) and same(one, other))  # null is none of what is counted yet
        count = self._whole(whole, one, other, path, null=apart or null)
        if not apart:
            return count
        if path and not any(known.startswith((f"{path}.", f"{path}{{")) or known == path for known in self.fields):
            self.fields[path] = 2
        return count + 1

    def _whole(self, places: Sequence[Place], one: Wants, other: Wants, path: str, *, null: bool) -> int:
        """The same, when nothing is null at the place itself."""
        match places[0].type:
            case Record():
                return self._record(places, one, other, path, null=null)
            case Map() if not _counted(one) and not _counted(other):
                return self._inside(places, one, other, path, null=null)
            case Array() | Map():
                said = zip((one, other), self._views, strict=True)
                count = min(most_said(side, views, places) for side, views in said)
            case _:
                count = meet(one, other, self._views, places)
        self._note(path, count + null)
        return count

    def _record(self, places: Sequence[Place], one: Wants, other: Wants, path: str, *, null: bool) -> int:
        """Versions that have the same of the wanted fields go together; each further selection adds its kinds."""
        below_one, below_other = split(one)[1], split(other)[1]
        wanted = below_one.keys() | below_other.keys()
        groups: dict[frozenset[Hop], list[Place]] = {}
        for place in places:
            groups.setdefault(frozenset(hop for hop in wanted if below(place, hop).type is not None), []).append(place)
        kept: dict[frozenset[Hop], list[Place]] = {}
        for held, group in sorted(groups.items(), key=lambda entry: -len(entry[0])):
            as_null = (
                larger
                for larger, others in kept.items()
                if held < larger
                and all(
                    same(below_one.get(hop, ()), below_other.get(hop, ()))
                    and any(may_be_blank(below(place, hop), below_one[hop]) for place in others)
                    for hop in larger - held
                )
            )
            home = next(as_null, held)
            kept.setdefault(home, []).extend(group)
        several = len(kept) > 1
        return sum(self._inside(group, one, other, path, null=null or several) for group in kept.values())

    def _inside(self, places: Sequence[Place], one: Wants, other: Wants, path: str, *, null: bool) -> int:
        below_one, below_other = split(one)[1], split(other)[1]
        return prod(
            self.count(
                [found for found in (below(place, hop) for place in places) if found.type is not None],
                below_one[hop],
                below_other[hop],
                _path(path, hop),
                null=null,
            )
            for hop in below_one
            if hop in below_other
        )

    def _note(self, path: str, count: int) -> None:
        self.fields[path] = max(self.fields.get(path, 1), count)


def blank(places: Sequence[Place], one: Wants, other: Wants) -> bool:
    """Whether both sides can say nothing at all of a place that is there."""
    return any(blank_there(place, one) and blank_there(place, other) for place in places)


def same(one: Wants, other: Wants) -> bool:
    """Whether both sides look at the same raw fields, so that neither says more of a null than the other."""
    return {want.hops for want in one} == {want.hops for want in other}


def _counted(some: Wants) -> bool:
    """Whether a map's entries are counted; that there is a map says nothing once it is there."""
    return any(not want.hops and not isinstance(want.action, Present) for want in some)


def _path(path: str, hop: Hop) -> str:
    if isinstance(hop, tuple):
        return f'{path}{{"{hop[0]}"}}'
    return f"{path}.{hop}" if path else hop
