"""Avro types as values: what a raw schema says, after names are resolved and unions are checked.

Only the part of Avro 1.12 that a contract may use exists here: a union is `Nullable`, a recursive type cannot be
written down. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pipelines.contract.findings import Position

PrimitiveName = Literal["boolean", "int", "long", "float", "double", "bytes", "string"]


class FieldClass(StrEnum):
    """What a raw leaf is, which decides what a view may ever say of it."""

    CONTENT = "content"
    DEVICE_IDENTIFIER = "device_identifier"
    ACCOUNT_IDENTIFIER = "account_identifier"
    NETWORK_IDENTIFIER = "network_identifier"
    CREDENTIAL = "credential"
    METADATA = "metadata"
    EVENT_ID = "event_id"
    EVENT_TIME = "event_time"


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive type other than null. `scale` belongs to the logical type decimal."""

    name: PrimitiveName
    logical: str | None = None
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum; its wire form is the index into `symbols`."""

    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """`size` bytes. `scale` belongs to the logical type decimal."""

    name: str
    size: int
    logical: str | None = None
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Array:
    """Blocks of items."""

    items: AvroType


@dataclass(frozen=True, slots=True)
class Map:
    """Blocks of (string key, value); a key has the class of the map's field."""

    values: AvroType


@dataclass(frozen=True, slots=True)
class Nullable:
    """A union of null and one other type, never itself nullable. `null_index` (0 or 1) is null's branch."""

    inner: AvroType
    null_index: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    `class_` is set on every field whose type, without null, arrays and maps around it, is a leaf; on a map of records
    it classes the keys. `max_items` bounds an array that a view uses. `class_review` names the review that accepted
    `metadata` for a field with a suspicious name or doc. `doc` is what its author says of it.
    """

    name: str
    type: AvroType
    position: Position
    class_: FieldClass | None = None
    max_items: int | None = None
    class_review: str | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A record. `name` is the full name."""

    name: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return next((f for f in self.fields if f.name == name), None)


AvroType = Primitive | Enum | Fixed | Array | Map | Nullable | Record


def not_null(avro_type: AvroType) -> AvroType:
    """The type without the null around it."""
    return avro_type.inner if isinstance(avro_type, Nullable) else avro_type
