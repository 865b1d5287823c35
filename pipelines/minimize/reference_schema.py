"""The schemas that the reference reads and writes with.

A raw schema is read as one with the same wire form: strings as bytes, maps as arrays of (key, value) records, logical
types as the numbers they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

import fastavro


@lru_cache(maxsize=512)
def writer_schema(schema: str) -> Any:
    """A derived schema (JSON text), parsed."""
    return fastavro.parse_schema(json.loads(schema))


@lru_cache(maxsize=512)
def reader_schema(text: str) -> Any:
    """A raw schema (JSON text), changed so that fastavro reads the same bytes without a thought for their meaning."""
    numbers = count()
    return fastavro.parse_schema(_plain(json.loads(text), lambda: f"entry{next(numbers)}"))


def _plain(schema: Any, name: Callable[[], str]) -> Any:
    """A schema with the same wire form, of which fastavro gives everything away as it is."""
    if isinstance(schema, list):
        return [_plain(branch, name) for branch in schema]
    if isinstance(schema, str):
        return "bytes" if schema == "string" else schema
    match schema["type"]:
        case "record":
            fields = [{"name": field["name"], "type": _plain(field["type"], name)} for field in schema["fields"]]
            return {**schema, "fields": fields}
        case "array":
            return {"type": "array", "items": _plain(schema["items"], name)}
        case "map":
            entry = [{"name": "key", "type": "bytes"}, {"name": "value", "type": _plain(schema["values"], name)}]
            return {"type": "array", "items": {"type": "record", "name": name(), "fields": entry}}
        case "enum" | "fixed":
            return {key: part for key, part in schema.items() if key != "logicalType"}
        case inner:
            return _plain(inner, name)
