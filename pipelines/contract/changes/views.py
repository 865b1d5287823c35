"""What changed in views: which event goes to which topic, and what of each field is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from pipelines.contract.actions import Action, Keep
from pipelines.contract.avro import AvroType, Enum, Nullable, Primitive, not_null
from pipelines.contract.changes import spelling
from pipelines.contract.changes.change import Change, Changes, Direction, Place, by_size
from pipelines.contract.changes.order import Order, follows, order
from pipelines.contract.model import Contract, Event, OutputArray, OutputField, View
from pipelines.contract.reach import Reach, merged, reach
from pipelines.contract.received import counted_up_to
from pipelines.contract.section import spelled

_TELLS: Final = {
    Order.FINER: (Direction.WORSE, "more of the value is told"),
    Order.COARSER: (Direction.BETTER, "less of the value is told"),
    Order.SAME: (Direction.NEUTRAL, "the same is told in other words"),
    Order.APART: (Direction.WORSE, "neither tells all that the other does, so they cannot be compared"),
}
_TIME: Final = "occurred_at"
_Guards = frozenset[tuple[str, Action]]


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a view, with the raw type that it is made from, and the bounds of what it counts."""

    output: OutputField
    raw: AvroType
    counted: tuple[int | None, ...]


def changes(old: Contract, new: Contract) -> Changes:
    """All changes of views, by event and topic."""
    before, after = _views(old), _views(new)
    for key in sorted({*before, *after}):
        event, topic = key
        place = Place(f"{event} → {topic}", frozenset({topic.partition(".")[2]}), received=True)
        if key not in before:
            yield place.change(Direction.WORSE, f"view added: {_told(after[key][1])}", "one more copy of these events")
        elif key not in after:
            yield place.change(
                Direction.BETTER, f"view removed: {_told(before[key][1])}", "one copy less of these events"
            )
        else:
            yield from _view(place, before[key], after[key])


def _views(contract: Contract) -> dict[tuple[str, str], tuple[Event, View]]:
    return {(event.name, view.topic): (event, view) for event in contract.events.values() for view in event.views}


def _told(view: View) -> str:
    return "; ".join(sorted(f"{rule.path}: {spelling.action(rule.action)}" for rule in view.rules))


def _view(place: Place, old: tuple[Event, View], new: tuple[Event, View]) -> Changes:
    before, after = _fields(*old), _fields(*new)
    guards = frozenset((str(guard.rule.path), guard.rule.action) for guard in _outputs(new[1].guards))
    for path in sorted({*before, *after}):
        here = Place(f"{place.where}: {path}", place.purposes, received=True)
        if path not in before:
            gives = after[path].output
            yield here.change(
                Direction.WORSE, f"field added: {spelling.action(gives.rule.action)} as {gives.name}", "one more field"
            )
        elif path not in after:
            gives = before[path].output
            yield here.change(
                Direction.BETTER, f"field removed: {spelling.action(gives.rule.action)}", "one field less"
            )
        else:
            yield from _field(here, before[path], after[path], guards)
    yield from _arrays(place, _array_outputs(old[1]), _array_outputs(new[1]))
    if old[1].step_ms != new[1].step_ms and not (_TIME in before and _TIME in after):
        direction = by_size(new[1].step_ms, old[1].step_ms)  # a larger step tells less
        what = f"the time of each record, to {spelled(old[1].step_ms)} → {spelled(new[1].step_ms)}"
        yield place.change(direction, what, "an envelope's time is as coarse as the view's")


def _fields(event: Event, view: View) -> dict[str, _Field]:
    return {
        str(field.rule.path): _Field(field, _raw(event, field), tuple(counted_up_to(event, field.rule) or ()))
        for field in _outputs(view.output)
    }


def _outputs(outputs: tuple[OutputField | OutputArray, ...]) -> Iterator[OutputField]:
    for output in outputs:
        yield from output.fields if isinstance(output, OutputArray) else (output,)


def _raw(event: Event, field: OutputField) -> AvroType:
    found = reach(event.versions, field.rule.path)
    avro_type = merged([one.type for one in found.found]) if isinstance(found, Reach) else None
    return avro_type if avro_type is not None else field.type


def _field(place: Place, old: _Field, new: _Field, guards: _Guards) -> Changes:
    before, after = old.output, new.output
    done, does = before.rule.action, after.rule.action
    if done != does:
        how = order(done, does, (old.raw, new.raw))
        if how is not Order.COARSER and (str(before.rule.path), done) in guards and follows(done, does, old.raw):
            how = Order.COARSER  # the overlaid view still holds back what the contract's does
        direction, why = _TELLS[how]
        yield place.change(direction, spelling.difference(done, does), why)
    yield from place.text("name", before.name, after.name, "the same under another name")
    if isinstance(done, Keep) and isinstance(does, Keep):
        yield from _symbols(place, before.type, after.type)
    if done == does and isinstance(before.type, Nullable) != isinstance(after.type, Nullable):
        what = "can be null now" if isinstance(after.type, Nullable) else "is never null now"
        yield place.change(Direction.NEUTRAL, what, "whether there is a value was told before")
    if done == does and old.counted != new.counted:
        yield _counted(place, old.counted, new.counted)
    if done == does and _kind(before.type) != _kind(after.type):
        yield place.change(
            Direction.WORSE,
            f"type: {_kind(before.type)} → {_kind(after.type)}",
            "another type was reviewed; the two cannot be compared",
        )


def _counted(place: Place, old: tuple[int | None, ...], new: tuple[int | None, ...]) -> Change:
    most, now = (max(inf if bound is None else bound for bound in bounds) for bounds in (old, new))
    direction = Direction.BETTER if now < most else Direction.WORSE
    spelled_ = ["no bound" if bound == inf else f"{bound:.0f}" for bound in (most, now)]
    why = "the most items that a record can tell to be there; of more there is no record"
    return place.change(direction, f"max_items of what is counted: {' → '.join(spelled_)}", why)


def _symbols(place: Place, old: AvroType, new: AvroType) -> Changes:
    before, after = not_null(old), not_null(new)
    if isinstance(before, Enum) and isinstance(after, Enum):
        for symbol in sorted(set(after.symbols) - set(before.symbols)):
            yield place.change(Direction.WORSE, f"symbol added: {symbol}", "one more word that a record can say")
        for symbol in sorted(set(before.symbols) - set(after.symbols)):
            yield place.change(Direction.BETTER, f"symbol removed: {symbol}", "one word less that a record can say")


def _kind(avro_type: AvroType) -> str:
    match not_null(avro_type):
        case Primitive(name, logical):
            return name if logical is None else f"{name} ({logical})"
        case other:
            return type(other).__name__.lower()


def _array_outputs(view: View) -> dict[str, OutputArray]:
    return {str(output.source): output for output in view.output if isinstance(output, OutputArray)}


def _arrays(place: Place, old: Mapping[str, OutputArray], new: Mapping[str, OutputArray]) -> Changes:
    for source in sorted(old.keys() & new.keys()):
        yield from _array(Place(f"{place.where}: {source}", place.purposes, received=True), old[source], new[source])


def _array(place: Place, old: OutputArray, new: OutputArray) -> Changes:
    if old.max_items != new.max_items:
        what = f"max_items: {old.max_items} → {new.max_items}"
        yield _more_items(place, what, old.max_items, new.max_items)
    yield from place.text("name", old.name, new.name, "the same under another name")
    yield from place.text("null possible", old.nullable, new.nullable, "whether there is an array was told before")


def _more_items(place: Place, what: str, old: int, new: int) -> Change:
    return place.change(by_size(old, new), what, "the most items that a record can tell of")
