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

    @property
    def bare(self) -> AvroType:
        """The leaf's type after null, arrays and maps are taken off."""
        return _peeled(self.field.type)[0]

    def under(self, path: Path) -> bool:
        """Whether a path names this leaf or something that holds it."""
        return covers(path, self.fields, keys_only=self.keys_only)

    def classed(self, class_: FieldClass | None) -> Leaf:
        """The same leaf with another class."""
        return replace(self, class_=class_)


def leaves(record: Record) -> Iterator[Leaf]:
    """All leaves of a record, in wire order."""
    yield from _below(record, (), "")


def held(avro_type: AvroType, field: Field) -> frozenset[FieldClass | None]:
    """The classes of all that a value of this type holds, `field` being the one whose type it is or is part of.

    A map brings the class of its keys; a leaf has its field's class.
    """
    inner, marks = _peeled(avro_type)
    if not isinstance(inner, Record):
        return frozenset({field.class_})
    keys = {field.class_} if "{}" in marks else set()
    return frozenset({*keys, *(leaf.class_ for leaf in leaves(inner))})


def covers(path: Path, leaf: tuple[str, ...], *, keys_only: bool = False) -> bool:
    """Whether a path names a leaf (by its fields' names) or something that holds it.

    `keys_only`: the leaf is the keys of a map of records. Who names one entry has decided about the records of a map,
    and has not decided about its keys; `FIELD{}` names the keys alone.
    """
    *_, last = path.steps
    if tuple(step.field for step in path.steps) != leaf[: len(path.steps)]:
        return False
    at_its_end = keys_only and len(path.steps) == len(leaf)
    return (at_its_end or not last.keys) and not (at_its_end and last.key is not None)


def overlap(one: Path, other: Path) -> bool:
    """Whether two paths can name one value: one leads to the other, and where both name a map key, it is the same.

    A map's keys (`FIELD{}`) are none of its entries.
    """
    return all(
        a.field == b.field
        and (a.key is None or b.key is None or a.key == b.key)
        and not (a.keys and b.key is not None)
        and not (b.keys and a.key is not None)
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
