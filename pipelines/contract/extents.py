"""Extents: how large a type is once its names are resolved, by arithmetic.

A name may be used again and again, so a file of 2 KB can spell a record of a million leaves. Nothing here expands one.
"""

from __future__ import annotations

from typing import Final

from pipelines.contract.avro import Array, AvroType, Map, Nullable, Record
from pipelines.contract.reading import MAX_DEPTH

MAX_LEAVES: Final = 2_000


class Extents:
    """Leaves and depth of the records of one schema file, in the order in which their definitions end."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def too_much(self, record: Record) -> str | None:
        """What is too large about a record whose own records are known already; None if nothing is."""
        inside = [self._of(field.type) for field in record.fields]
        leaves, depth = sum(size for size, _ in inside), 1 + max(deep for _, deep in inside)
        self._known[record.name] = leaves, depth
        if leaves <= MAX_LEAVES and depth <= MAX_DEPTH:
            return None
        return f"With its names resolved the record has {leaves:,} leaves, {depth} deep."

    def _of(self, avro_type: AvroType) -> tuple[int, int]:
        match avro_type:
            case Nullable(inner=inner):
                return self._of(inner)
            case Array(items=inner) | Map(values=inner):
                leaves, depth = self._of(inner)
                return leaves, depth + 1
            case Record(name=name):
                return self._known[name]
            case _:
                return 1, 1
