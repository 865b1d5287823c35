"""Places: where rules lead in the versions of a raw schema, step by step, and where nothing can stand.

Counting a view and comparing two views both walk along the schema with the rules that go through each place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.contract.actions import Action, is_limited
from pipelines.contract.avro import Array, AvroType, Map, Nullable, Record, not_null
from pipelines.contract.model import Rule

ITEM: Final = "[]"
Hop = str | tuple[str]


@dataclass(frozen=True, slots=True)
class Want:
    """A rule, seen from a place: the hops that lead on to its raw value, and what is done with the value.

    `view` is a number of its view, where views are told apart.
    """

    hops: tuple[Hop, ...]
    action: Action
    view: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """What one version has at a place; `type` is None where it has nothing."""

    type: AvroType | None
    max_items: int | None = None

    @property
    def nothing_possible(self) -> bool:
        """Whether the version has nothing here, or may have null."""
        return self.type is None or isinstance(self.type, Nullable)


def wants(rules: Iterable[Rule], depth: int = 0, view: int = 0) -> tuple[Want, ...]:
    """The rules, seen from `depth` hops below the event; what is wanted twice is there once."""
    return tuple(dict.fromkeys(Want(hops(rule)[depth:], rule.action, view) for rule in rules))


def hops(rule: Rule) -> tuple[Hop, ...]:
    """A rule's path as hops: a field, `ITEM`, or the key of a map's entry."""
    found: list[Hop] = []
    for step in rule.path.steps:
        found.append(step.field)
        if step.items:
            found.append(ITEM)
        elif step.key is not None:
            found.append((step.key,))
    return tuple(found)


def reached(place: Place, path: Sequence[Hop]) -> Place:
    """The place that hops lead to."""
    for hop in path:
        if place.type is None:
            break
        place = below(Place(not_null(place.type), place.max_items), hop)
    return place


def there(places: Iterable[Place]) -> list[Place]:
    """The places without null, each once; those that have nothing are left out."""
    found = (Place(not_null(place.type), place.max_items) for place in places if place.type is not None)
    return list(dict.fromkeys(found))


def split(some: Iterable[Want]) -> tuple[list[Want], dict[Hop, tuple[Want, ...]]]:
    """What is wanted of a place itself, and what is wanted below it, by the next hop."""
    here: list[Want] = []
    inside: dict[Hop, tuple[Want, ...]] = {}
    for want in some:
        if want.hops:
            inside[want.hops[0]] = (*inside.get(want.hops[0], ()), Want(want.hops[1:], want.action, want.view))
        else:
            here.append(want)
    return here, inside


def below(place: Place, hop: Hop) -> Place:
    """The place one hop on; the place itself is not null."""
    match place.type:
        case Record() as record:
            field = record.field(hop) if isinstance(hop, str) else None
            return Place(None) if field is None else Place(field.type, field.max_items)
        case Array(items=inner):
            return Place(inner)
        case Map(values=inner):
            return Place(inner if isinstance(inner, Nullable) else Nullable(inner))  # an entry may be missing
        case _:
            return Place(None)


def may_be_blank(place: Place, some: tuple[Want, ...]) -> bool:
    """Whether everything wanted of a place or below it can be blank (null, or false for `present`) at once."""
    return place.nothing_possible or blank_there(place, some)


def blank_there(place: Place, some: tuple[Want, ...]) -> bool:
    """Whether all outputs can be blank although there is a value.

    So it is where none tells of the place itself, or all that do are limited times.
    """
    here, inside = split(some)
    if isinstance(place.type, Array) or not all(is_limited(want.action) for want in here):
        return False
    return all(may_be_blank(below(place, hop), wanted) for hop, wanted in inside.items())
