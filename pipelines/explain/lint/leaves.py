"""Leaves of a decoded event: each scalar with the path that the schema has for it. Says nothing of what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.contract.avro import Array, AvroType, Map, Nullable, Primitive, Record

KEY: Final = Primitive("string")
"""The type of a map's keys, which are values too."""


def scalars(record: Record, fields: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, AvroType, Any]]:
    """Every value that is there, with its type, and the path of its leaf (`checks[].id`, `labels{}`).

    Args:
        record: the schema.
        fields: as the reference decodes them: strings are bytes, a map is a list of {key, value}.
        before: what the paths begin with.
    """
    for field in record.fields:
        yield from _below(field.type, fields[field.name], f"{before}{field.name}")


def _below(avro_type: AvroType, value: Any, path: str) -> Iterator[tuple[str, AvroType, Any]]:
    match avro_type:
        case Nullable(inner):
            if value is not None:
                yield from _below(inner, value, path)
        case Array(items):
            for item in value:
                yield from _below(items, item, f"{path}[]")
        case Map(values):
            for entry in value:
                yield f"{path}{{}}", KEY, entry["key"]
                yield from _below(values, entry["value"], f"{path}{{}}")
        case Record():
            yield from scalars(avro_type, value, f"{path}.")
        case _:
            yield path, avro_type, value
