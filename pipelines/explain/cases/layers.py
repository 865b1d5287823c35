"""Layers: values of records laid over each other, for cases that are like others; and what then is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.contract.avro import Array, AvroType, Map, Nullable, Record


def missing(record: Record, value: Mapping[str, Any], path: str = "", *, nulls_too: bool = False) -> list[str]:
    """The paths of fields that a value needs and has not; with `nulls_too`, of those that may be null as well."""
    found = []
    for field in record.fields:
        there = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            found += _missing_in(field.type, value[field.name], there, nulls_too)
        elif nulls_too or not isinstance(field.type, Nullable):
            found.append(there)
    return found


def _missing_in(avro_type: AvroType, value: Any, path: str, nulls_too: bool) -> list[str]:  # noqa: FBT001 - passed on
    match avro_type:
        case Nullable(inner):
            return [] if value is None else _missing_in(inner, value, path, nulls_too)
        case Record():
            return missing(avro_type, value, path, nulls_too=nulls_too)
        case Array(items):
            return [gap for item in value for gap in _missing_in(items, item, f"{path}[]", nulls_too)]
        case Map(values):
            return [gap for item in value.values() for gap in _missing_in(values, item, f"{path}{{}}", nulls_too)]
    return []


def merged(avro_type: AvroType, old: Any, new: Any) -> Any:
    """`new` laid over `old`: records field by field, everything else whole."""
    inner = avro_type.inner if isinstance(avro_type, Nullable) else avro_type
    if not isinstance(inner, Record) or not isinstance(old, dict) or not isinstance(new, dict):
        return new
    types = {field.name: field.type for field in inner.fields}
    laid = {name: merged(types[name], old[name], value) if name in old else value for name, value in new.items()}
    return {**old, **laid}


def pruned(avro_type: AvroType, value: Any) -> Any:
    """A value without the fields that its type's records do not have: what is left of it in another version."""
    match avro_type:
        case Nullable(inner):
            return None if value is None else pruned(inner, value)
        case Record(_, fields) if isinstance(value, dict):
            return {field.name: pruned(field.type, value[field.name]) for field in fields if field.name in value}
        case Array(items) if isinstance(value, list):
            return [pruned(items, item) for item in value]
        case Map(values) if isinstance(value, dict):
            return {key: pruned(values, item) for key, item in value.items()}
    return value
