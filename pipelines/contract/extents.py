"""Extents: how large a type is once its names are resolved, by arithmetic.

A name may be used again and again, so a file of 2 KB can spell a record of a million leaves. Nothing here expands one.

The bounds are what the rooms behind this one can take of any schema, with room to spare: a walk is compiled to 64
levels, counted as here (nulls too), and a quarantine note holds a path of 4,096 characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.contract.avro import Array, AvroType, Map, Nullable, Record

MAX_LEAVES: Final = 2_000
MAX_NESTING: Final = 48
MAX_PATH: Final = 512


@dataclass(frozen=True, slots=True)
class Extent:
    """How many leaves a type has, how many levels, and the length of its longest path as the schema spells it.

    A leaf, a record, an array, a map and a null around a type are one level each.
    """

    leaves: int
    levels: int
    path: int

    def within(self, mark: int) -> Extent:
        """The extent of a container of one such type; `mark` characters spell it (`[]`, `{}`, or none)."""
        return Extent(self.leaves, self.levels + 1, self.path + mark)


_LEAF: Final = Extent(1, 1, 0)


class Extents:
    """The extents of the records of one schema file, in the order in which their definitions end."""

    def __init__(self) -> None:
        self._known: dict[str, Extent] = {}

    def too_much(self, record: Record) -> str | None:
        """What is too large about a record whose own records are known already; None if nothing is."""
        inside = [(field.name, self._of(field.type)) for field in record.fields]
        known = Extent(
            sum(extent.leaves for _, extent in inside),
            1 + max(extent.levels for _, extent in inside),
            max(len(name) + extent.path for name, extent in inside),
        )
        self._known[record.name] = known
        if known.leaves > MAX_LEAVES:
            return f"With its names resolved the record has {known.leaves:,} leaves."
        if known.levels > MAX_NESTING:
            return f"With its names resolved the record is {known.levels:,} levels deep (a null is one)."
        if known.path > MAX_PATH:
            return f"With its names resolved the record has a path of {known.path:,} characters."
        return None

    def _of(self, avro_type: AvroType) -> Extent:
        match avro_type:
            case Nullable(inner=inner):
                return self._of(inner).within(0)
            case Array(items=inner) | Map(values=inner):
                return self._of(inner).within(2)
            case Record(name=name):
                known = self._known[name]
                return Extent(known.leaves, known.levels, 1 + known.path)  # the dot
            case _:
                return _LEAF
