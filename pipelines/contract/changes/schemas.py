"""What changed in raw schemas and in `never`: fields, types, classes, and the reviews of classes.

A raw field that no view uses does not leave, so that most of this is neutral; a class that allows more never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.contract.avro import Array, AvroType, Enum, FieldClass, Map, Nullable
from pipelines.contract.changes.change import Changes, Direction, Place
from pipelines.contract.leaves import Leaf, leaves
from pipelines.contract.model import Contract, Event
from pipelines.contract.reach import describe
from pipelines.contract.view import STRICTEST_FIRST, strictest

_STAYS: Final = "no view uses it, and what no view names does not leave"
_USED: Final = "views use it: look at what they now tell of it"


@dataclass(frozen=True, slots=True)
class _Raw:
    """A raw leaf over all versions: its newest type, all its classes and class reviews, the purposes that use it."""

    leaf: Leaf
    type: str
    symbols: frozenset[str]
    classes: frozenset[FieldClass]
    reviews: frozenset[str]
    purposes: frozenset[str]


def changes(old: Contract, new: Contract) -> Changes:
    """All changes of raw schemas and of the reasons under `never`, by event type."""
    for name in sorted({*old.events, *new.events}):
        before, after = old.events.get(name), new.events.get(name)
        place = Place(f"event {name}")
        if before is None or after is None:
            done = "removed" if after is None else "added"
            yield place.change(Direction.NEUTRAL, f"event type {done}", "its topics and views are told apart")
        else:
            yield from _versions(place, before, after)
            yield from _leaves(name, _raw(before), _raw(after))
            yield from _never(name, before, after)


def _versions(place: Place, old: Event, new: Event) -> Changes:
    before = {schema.version: schema.fingerprint for schema in old.versions}
    after = {schema.version: schema.fingerprint for schema in new.versions}
    for version in sorted(before.keys() | after.keys()):
        if before.get(version) != after.get(version):
            done = "added" if version not in before else "removed" if version not in after else "rewritten"
            yield place.change(
                Direction.NEUTRAL, f"raw schema version {version} {done}", "its fields are told one by one"
            )


def _raw(event: Event) -> dict[str, _Raw]:
    found: dict[str, list[Leaf]] = {}
    for schema in reversed(event.versions):
        for leaf in leaves(schema.record):
            found.setdefault(leaf.spelled, []).append(leaf)
    return {spelled: _over_versions(event, same) for spelled, same in found.items()}


def _over_versions(event: Event, same: list[Leaf]) -> _Raw:
    newest = same[0]
    return _Raw(
        newest,
        "keys of a map" if newest.keys_only else _kind(newest.field.type),
        frozenset(symbol for leaf in same for symbol in _symbols(leaf.field.type)),
        frozenset(leaf.class_ for leaf in same if leaf.class_ is not None),
        frozenset(leaf.field.class_review for leaf in same if leaf.field.class_review is not None),
        frozenset(view.purpose for view in event.views for rule in view.rules if newest.under(rule.path)),
    )


def _symbols(avro_type: AvroType) -> tuple[str, ...]:
    match avro_type:
        case Enum(_, symbols):
            return symbols
        case Nullable(inner=inside) | Array(items=inside) | Map(values=inside):
            return _symbols(inside)
        case _:
            return ()


def _kind(avro_type: AvroType) -> str:
    words = describe(avro_type)
    return words if not _symbols(avro_type) else "enum"


def _leaves(event: str, old: dict[str, _Raw], new: dict[str, _Raw]) -> Changes:
    for spelled in sorted({*old, *new}):
        before, after = old.get(spelled), new.get(spelled)
        purposes = frozenset[str]().union(*(raw.purposes for raw in (before, after) if raw is not None))
        place = Place(f"{event}: {spelled}", purposes)
        covered = Place(place.where, purposes, received=bool(purposes))
        if before is None or after is None:
            done = "removed from" if after is None else "added to"
            yield covered.change(Direction.NEUTRAL, f"{done} the raw schema", _USED if purposes else _STAYS)
        else:
            yield from _class(covered, before, after)
            yield from _leaf(place, before, after)


def _class(place: Place, old: _Raw, new: _Raw) -> Changes:
    if old.classes != new.classes:
        before, after = strictest(old.classes), strictest(new.classes)
        looser = _looseness(after) > _looseness(before)
        stricter = _looseness(after) < _looseness(before)
        direction = Direction.WORSE if looser else Direction.BETTER if stricter else Direction.NEUTRAL
        allows = "more" if looser else "less" if stricter else "as much"
        what = f"class: {before or 'none'} → {after or 'none'}"
        yield place.change(direction, what, f"the new class allows {allows} to be told of it")


def _leaf(place: Place, old: _Raw, new: _Raw) -> Changes:
    if old.type != new.type:
        direction = Direction.WORSE if place.purposes else Direction.NEUTRAL
        why = "another type was reviewed; the two cannot be compared" if place.purposes else _STAYS
        yield place.change(direction, f"raw type: {old.type} → {new.type}", why)
    for symbol in sorted(old.symbols ^ new.symbols):
        done = "added to" if symbol in new.symbols else "removed from"
        yield place.change(Direction.NEUTRAL, f"symbol {symbol} {done} the raw schema", "views that keep it say so")
    for review in sorted(old.reviews ^ new.reviews):
        added = review in new.reviews
        yield place.change(
            Direction.WORSE if added else Direction.BETTER,
            f"class_review {'added' if added else 'removed'}: {review}",
            f"its name speaks of more than metadata, which is {'accepted' if added else 'no longer accepted'}",
        )


def _looseness(class_: FieldClass | None) -> int:
    return len(STRICTEST_FIRST) if class_ is None else STRICTEST_FIRST.index(class_)


def _never(event: str, old: Event, new: Event) -> Changes:
    before = {str(never.path): never.reason for never in old.never}
    after = {str(never.path): never.reason for never in new.never}
    for path in sorted(before.keys() | after.keys()):
        place = Place(f"{event}: {path}")
        if path not in before or path not in after:
            done = "added" if path in after else "removed"
            yield place.change(Direction.NEUTRAL, f"never: {done}", "what views now tell of it is told apart")
        else:
            yield from place.text("never", before[path], after[path], "another reason for the same decision")
