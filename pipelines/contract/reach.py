"""Reach: where a path leads in each version of a raw schema, and what a view can say of it over all versions.

A version that lacks the path gives null there, so a value may be null because the raw one may be, because a map may
lack the entry, or because a version lacks the field. Null before `[]` makes the output array nullable, null after it
the item's field.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract.avro import Array, AvroType, Enum, Field, Fixed, Map, Nullable, Primitive, Record, not_null
from pipelines.contract.model import RawSchema
from pipelines.contract.path import Path, Step

Order = tuple[tuple[int, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a path ends in one version. `type` is without null; `outer`: null can come before `[]`, `inner`: after.

    `keyed` are the fields of the maps of which the path names an entry: it tells of their keys, too.
    """

    type: AvroType
    field: Field
    outer: bool
    inner: bool
    order: Order
    keyed: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """Why a path does not lead anywhere in one version: at `step`. `absent` says that just the field is not there."""

    step: Step
    why: str
    absent: bool
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """A path over all versions that have it, the newest first. `absent`: some version does not."""

    found: tuple[Reached, ...]
    absent: bool
    absent_in_newest: bool = False

    @property
    def nullable(self) -> bool:
        """Whether the value can be null or missing before any `[]`."""
        return self.absent or any(reached.outer for reached in self.found)

    @property
    def order(self) -> tuple[bool, Order]:
        """Sorts paths as the newest version's fields stand; those of older versions alone come last."""
        return self.absent_in_newest, self.found[0].order


def follow(record: Record, path: Path) -> Reached | Missed:
    """Where a path leads in one version."""
    at: AvroType = record
    outer = inner = below = False
    field: Field | None = None
    order: list[tuple[int, str, bool]] = []
    keyed: list[Field] = []
    for step in path.steps:
        if isinstance(at, Nullable):
            outer, inner, at = outer or not below, inner or below, at.inner
        if not isinstance(at, Record):
            return Missed(step, f"{describe(at)} has no fields", absent=False)
        index = next((i for i, known in enumerate(at.fields) if known.name == step.field), -1)
        if index < 0:
            return Missed(
                step, f"there is no field '{step.field}'", absent=True, known=tuple(known.name for known in at.fields)
            )
        field = at.fields[index]
        at = field.type
        order.append((index, step.key or "", step.items))
        if step.items or step.key is not None:
            if isinstance(at, Nullable):
                outer, inner, at = outer or not below, inner or below, at.inner
            if step.items and isinstance(at, Array):
                at, below = at.items, True
            elif step.key is not None and isinstance(at, Map):
                keyed.append(field)
                at = at.values
                outer, inner = outer or not below, inner or below  # an entry may be missing
            else:
                wanted = "an array" if step.items else "a map"
                return Missed(step, f"'{step.field}' is {describe(at)}, not {wanted}", absent=False)
    if isinstance(at, Nullable):
        outer, inner, at = outer or not below, inner or below, at.inner
    if field is None:
        raise ValueError("a path has at least one step")
    return Reached(at, field, outer, inner, tuple(order), tuple(keyed))


def reach(versions: tuple[RawSchema, ...], path: Path) -> Reach | Missed:
    """Where a path leads over all versions; a `Missed` that no version explains away."""
    newest_first = [follow(schema.record, path) for schema in reversed(versions)]
    found = tuple(one for one in newest_first if isinstance(one, Reached))
    missed = [one for one in newest_first if isinstance(one, Missed)]
    wrong = next((one for one in missed if not one.absent), None)
    if wrong is not None:
        return wrong
    if not found:
        return missed[0]
    return Reach(found, bool(missed), isinstance(newest_first[0], Missed))


def to_array(path: Path) -> Path | None:
    """The path to the array field of a path's `[]`, or None."""
    for at, step in enumerate(path.steps):
        if step.items:
            return Path((*path.steps[:at], Step(step.field)))
    return None


def merged(types: list[AvroType]) -> AvroType | None:
    """What a reader of all versions sees, newest first: enums by symbol, int and long as long; None: they disagree."""
    first = types[0]
    if all(isinstance(one, Enum) for one in types):
        symbols = {symbol: None for one in types if isinstance(one, Enum) for symbol in one.symbols}
        return Enum(first.name, tuple(symbols)) if isinstance(first, Enum) else None
    if all(isinstance(one, Primitive) and one.logical is None and one.name in ("int", "long") for one in types):
        return Primitive("long") if len(set(types)) > 1 else first
    return first if len({_essence(one) for one in types}) == 1 else None


def _essence(avro_type: AvroType) -> object:
    match avro_type:
        case Fixed(_, size, logical, scale):
            return "fixed", size, logical, scale
        case Array() | Map() | Record() | Enum():
            return type(avro_type)
        case _:
            return avro_type


def describe(avro_type: AvroType) -> str:
    """What a person calls a type."""
    match not_null(avro_type):
        case Primitive(name, logical, scale):
            return f"{name}" if logical is None else f"{name} ({_logical(logical, scale)})"
        case Fixed(_, size, logical, scale):
            return f"fixed({size})" if logical is None else f"fixed({size}, {_logical(logical, scale)})"
        case Enum(_, symbols):
            return f"enum of {len(symbols)} symbols"
        case Array(items=inner):
            return f"array of {describe(inner)}"
        case Map(values=inner):
            return f"map of {describe(inner)}"
        case _:
            return "record"


def _logical(name: str, scale: int) -> str:
    return f"{name} of scale {scale}" if name == "decimal" else name
