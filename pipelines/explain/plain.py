"""Plain events: JSON as a person types it, turned into the Avro bytes that a producer would send.

    record        an object with the schema's fields; a nullable one may be left out
    union         null, or the value itself (not Avro's {"type": value})
    enum          its symbol
    bytes, fixed  text whose characters are the bytes, U+0000 to U+00FF (Avro 1.12 “JSON Encoding”)
    uuid          its usual text, for a fixed one too
    decimal       a number
    timestamp-*   a whole number in the type's unit, or RFC 3339; date: days since 1970, or YYYY-MM-DD

What does not fit is an `Unfit` with a code and the path as the schema spells it. No value is ever in it, nor in an
exception: orjson's errors keep the whole document, so they end here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.model import RawSchema

UNFIT_CODES: Final[dict[str, str]] = {
    "not_json": "this is not JSON",
    "not_an_object": "this is JSON, but no object",
    "unknown_field": "a field here is not in the schema",
    "missing_field": "the field is missing, and may not be null",
    "wrong_type": "the value is not of the field's type",
    "unknown_symbol": "the enum has no such symbol",
    "out_of_range": "the number does not fit into the field's type",
    "wrong_size": "the text has not as many bytes as the field",
}

_SINGLE_OBJECT: Final = b"\xc3\x01"
RANGES: Final = {"int": range(-(1 << 31), 1 << 31), "long": range(-(1 << 63), 1 << 63)}
TICKS: Final = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a plain event is none of its schema; `code` is a key of `UNFIT_CODES`."""

    code: str
    path: str


class _Stop(Exception):  # noqa: N818 - leaves the recursion, never this module
    def __init__(self, code: str, path: str) -> None:
        super().__init__()
        self.unfit = Unfit(code, path)


def parse(text: bytes) -> dict[str, Any] | Unfit:
    """One JSON object."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Unfit("not_json", "")
    return document if isinstance(document, dict) else Unfit("not_an_object", "")


def encode(schema: RawSchema, event: Mapping[str, Any]) -> bytes | Unfit:
    """The event as Avro single-object encoding, with the schema's fingerprint."""
    out = bytearray(_SINGLE_OBJECT + schema.fingerprint)
    try:
        _write(out, schema.record, event, "")
    except _Stop as stop:
        return stop.unfit
    return bytes(out)


def _write(out: bytearray, avro_type: AvroType, value: Any, path: str) -> None:
    match avro_type:
        case Record():
            _record(out, avro_type, value, path)
        case Nullable(inner, null_index):
            out += _zigzag(null_index if value is None else 1 - null_index)
            if value is not None:
                _write(out, inner, value, path)
        case Array(items):
            _blocks(out, _of(list, value, path))
            for item in value:
                _write(out, items, item, f"{path}[]")
            out += b"\0" if value else b""
        case Map(values):
            _blocks(out, _of(dict, value, path))
            for key, entry in value.items():
                _sized(out, key.encode())
                _write(out, values, entry, f"{path}{{}}")
            out += b"\0" if value else b""
        case Enum(_, symbols):
            if _of(str, value, path) not in symbols:
                raise _Stop("unknown_symbol", path)
            out += _zigzag(symbols.index(value))
        case Fixed(size=size):
            data = _fixed(avro_type, value, path)
            if len(data) != size:
                raise _Stop("wrong_size", path)
            out += data
        case Primitive():
            _primitive(out, avro_type, value, path)


def _record(out: bytearray, record: Record, value: Any, path: str) -> None:
    known = {field.name for field in record.fields}
    if not _of(dict, value, path).keys() <= known:
        raise _Stop("unknown_field", path)  # its name is the sender's text: not repeated
    for field in record.fields:
        inside = f"{path}.{field.name}" if path else field.name
        if field.name not in value and not isinstance(field.type, Nullable):
            raise _Stop("missing_field", inside)
        _write(out, field.type, value.get(field.name), inside)


def _primitive(out: bytearray, primitive: Primitive, value: Any, path: str) -> None:
    match primitive.name:
        case "boolean":
            out += b"\1" if _of(bool, value, path) else b"\0"
        case "int" | "long":
            number = _of(int, _ticks(primitive.logical, value, path), path)
            if number not in RANGES[primitive.name]:
                raise _Stop("out_of_range", path)
            out += _zigzag(number)
        case "float" | "double":
            try:
                out += struct.pack("<f" if primitive.name == "float" else "<d", _of((int, float), value, path))
            except (OverflowError, struct.error):  # the latter for whole numbers beyond a double
                raise _Stop("out_of_range", path) from None
        case "bytes" if primitive.logical == "decimal" and not isinstance(value, str):
            unscaled = _unscaled(value, primitive.scale, path)
            _sized(out, unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True))
        case "bytes":
            _sized(out, _latin(value, path))
        case "string":
            _sized(out, _of(str, value, path).encode())


def _fixed(fixed: Fixed, value: Any, path: str) -> bytes:
    if fixed.logical == "decimal" and not isinstance(value, str):
        try:
            return _unscaled(value, fixed.scale, path).to_bytes(fixed.size, "big", signed=True)
        except OverflowError:
            raise _Stop("out_of_range", path) from None
    if fixed.logical == "uuid" and len(_of(str, value, path)) != fixed.size:
        try:
            return UUID(value).bytes
        except ValueError:
            raise _Stop("wrong_type", path) from None
    return _latin(value, path)


def _ticks(logical: str | None, value: Any, path: str) -> Any:
    """A time that was written as text, in its type's unit since 1970; anything else as it is."""
    if not isinstance(value, str) or logical is None:
        return value
    found = ticks(value, logical)
    if found is None:
        raise _Stop("wrong_type", path)
    return found


def ticks(text: str, logical: str) -> int | None:
    """A time written as RFC 3339 (a date as YYYY-MM-DD), in its type's unit since 1970; None if it is none."""
    try:
        if logical == "date":
            return (date.fromisoformat(text) - UNIX_EPOCH.date()).days
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - UNIX_EPOCH) // _MICROSECOND * TICKS[logical.rpartition("-")[2]] // 1_000_000
    except (ValueError, KeyError, OverflowError):
        return None


def _unscaled(value: Any, scale: int, path: str) -> int:
    shifted = Decimal(repr(_of((int, float), value, path))).scaleb(scale)
    if not shifted.is_finite() or shifted != shifted.to_integral_value():
        raise _Stop("out_of_range", path)
    return int(shifted)


def _of(kind: type | tuple[type, ...], value: Any, path: str) -> Any:
    """The value, if it is of that JSON type; true and false are no numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Stop("wrong_type", path)
    return value


def _latin(value: Any, path: str) -> bytes:
    text: str = _of(str, value, path)
    if not all(character <= "\xff" for character in text):
        raise _Stop("wrong_type", path)
    return text.encode("latin-1")


def _blocks(out: bytearray, items: list[Any] | dict[str, Any]) -> None:
    out += _zigzag(len(items))


def _sized(out: bytearray, data: bytes) -> None:
    out += _zigzag(len(data)) + data


def _zigzag(number: int) -> bytes:
    rest, out = (number << 1) ^ (number >> 63), bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte (Avro 1.12 “Binary Encoding”)
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
