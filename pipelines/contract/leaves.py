"""Leaves: what a raw schema holds, one by one, as the one who decides about them sees it.

A leaf is a field whose type is not a record after null, arrays and maps are taken off; and the keys of a map of
records, which are data too. It is told by the names of the fields on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipelines.contract.avro import Array, AvroType, Field, FieldClass, Map, Nullable, Record
from pipelines.contract.path import Path


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf. `spelled` is its path as the schema spells it: `checks[].id`, `headers{}`."""

    fields: tuple[str, ...]
    spelled: str
    class_: FieldClass | None
    field: Field
    keys_only: bool = False

    def classed(self, class_: FieldClass | None) -> Leaf:
        """The same leaf with another class."""
        return replace(self, class_=class_)


def leaves(record: Record) -> Iterator[Leaf]:
    """All leaves of a record, in wire order."""
    yield from _below(record, (), "")


def covers(path: Path, leaf: tuple[str, ...]) -> bool:
    """Whether a path names a leaf or something that holds it."""
    return tuple(step.field for step in path.steps) == leaf[: len(path.steps)]


def overlap(one: Path, other: Path) -> bool:
    """Whether two paths can name one value: one leads to the other, and where both name a map key, it is the same."""
    return all(
        a.field == b.field and (a.key is None or b.key is None or a.key == b.key)
        for a, b in zip(one.steps, other.steps, strict=False)
    )


def _below(record: Record, fields: tuple[str, ...], prefix: str) -> Iterator[Leaf]:
    for field in record.fields:
        names = (*fields, field.name)
        inner, marks = _peeled(field.type)
        spelled = f"{prefix}{field.name}{marks}"
        if isinstance(inner, Record):
            if "{}" in marks:
                yield Leaf(names, spelled, field.class_, field, keys_only=True)
            yield from _below(inner, names, f"{spelled}.")
        else:
            yield Leaf(names, spelled, field.class_, field)


def _peeled(avro_type: AvroType) -> tuple[AvroType, str]:
    marks = ""
    while True:
        match avro_type:
            case Nullable(inner=inner):
                avro_type = inner
            case Array(items=inner):
                avro_type, marks = inner, f"{marks}[]"
            case Map(values=inner):
                avro_type, marks = inner, f"{marks}{{}}"
            case _:
                return avro_type, marks
