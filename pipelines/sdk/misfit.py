"""Where the fields of an event do not fit its schema: path, wanted and given type.

Never a value, a key of a map, or a name that the schema does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record

_BYTES: Final = (bytes, bytearray)
_TAKES: Final[dict[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "int": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "string": (str,),
    "bytes": _BYTES,
}
_ALSO: Final[dict[str, tuple[type, ...]]] = {"decimal": (Decimal,), "big-decimal": (Decimal,), "uuid": (UUID,)}
_KNOWN: Final = ("builtins", "datetime", "decimal", "uuid")
_BITS: Final = {"int": 32, "long": 64}


def misfit(record: Record, name: str, fields: Mapping[str, Any]) -> str:
    """Say why a field cannot be written: `checks[].id must be string, given int`.

    Args:
        record: the schema.
        name: the field of the record that cannot be written.
        fields: the event.
    """
    field = record.field(name)
    if field is None:
        return f"{name} does not fit its type"
    if name not in fields:
        return f"{name} is missing; it must be {_wanted(field.type)}"
    return _in(field.type, fields[name], name) or f"{name} does not fit its type, {_wanted(field.type)}"


def _in(avro_type: AvroType, value: Any, path: str) -> str | None:
    match avro_type:
        case Nullable(inner):
            found = None if value is None else _in(inner, value, path)
            return found.replace(" must be ", " must be null or ", 1) if found and _is_of(found, path) else found
        case Record():
            return _in_record(avro_type, value, path) if isinstance(value, Mapping) else _wrong(avro_type, value, path)
        case Array(items):
            if not isinstance(value, Sequence) or isinstance(value, (str, *_BYTES)):
                return _wrong(avro_type, value, path)
            return next((said for item in value if (said := _in(items, item, f"{path}[]"))), None)
        case Map(values):
            if not isinstance(value, Mapping):
                return _wrong(avro_type, value, path)
            return next((said for item in value.values() if (said := _in(values, item, f"{path}{{}}"))), None)
        case _:
            return _in_scalar(avro_type, value, path)


def _is_of(said: str, path: str) -> bool:
    return said.startswith(f"{path} must be ")


def _in_record(record: Record, value: Mapping[str, Any], path: str) -> str | None:
    there = [field for field in record.fields if field.name in value]
    found = next(
        (said for field in there if (said := _in(field.type, value[field.name], f"{path}.{field.name}"))), None
    )
    # A field that is missing may have a default, so a type that is wrong comes first.
    gone = (field for field in record.fields if field.name not in value)
    return found or next((f"{path}.{field.name} is missing; it must be {_wanted(field.type)}" for field in gone), None)


def _in_scalar(avro_type: AvroType, value: Any, path: str) -> str | None:
    match avro_type:
        case Enum(_, symbols):
            if not isinstance(value, str):
                return _wrong(avro_type, value, path)
            return None if value in symbols else f"{path} must be {_wanted(avro_type)}, given another str"
        case Fixed(_, size, logical):
            if not isinstance(value, (*_BYTES, *_ALSO.get(logical or "", ()))):
                return _wrong(avro_type, value, path)
            if isinstance(value, (bytes, bytearray)) and len(value) != size:
                return f"{path} must be {_wanted(avro_type)}, given another number of bytes"
        case Primitive(name, logical):
            times = (date, datetime, time) if logical and (logical == "date" or "time" in logical) else ()
            takes = (*_TAKES.get(name, ()), *_ALSO.get(logical or "", ()), *times)
            if not isinstance(value, takes) or (isinstance(value, bool) and name != "boolean"):
                return _wrong(avro_type, value, path)
            bits = _BITS.get(name)
            if bits and isinstance(value, int) and not -(1 << bits - 1) <= value < 1 << bits - 1:
                return f"{path} must be {_wanted(avro_type)}, given an int of more than {bits} bits"
    return None


def _wrong(avro_type: AvroType, value: Any, path: str) -> str:
    of = type(value)
    given = "null" if value is None else of.__name__ if of.__module__ in _KNOWN else "an object"
    return f"{path} must be {_wanted(avro_type)}, given {given}"


def _wanted(avro_type: AvroType) -> str:
    match avro_type:
        case Nullable(inner):
            return f"null or {_wanted(inner)}"
        case Record():
            return "a record (mapping)"
        case Array():
            return "an array (list)"
        case Map():
            return "a map (mapping)"
        case Enum(name):
            return f"a symbol of the enum {name.rpartition('.')[2]}"
        case Fixed(_, size, logical):
            return f"{size} bytes{f' ({logical})' if logical else ''}"
        case Primitive(name, logical):
            return f"{name}{f' ({logical})' if logical else ''}"
