"""Values in cases: a YAML node becomes a value of an Avro type, or a mistake at the node's place.

The contract's reader gives no scalar a type of its own; the field does. `null` without quotes is null where null may
be. bytes and fixed are text whose characters are the bytes, or {hex: …}. Times are RFC 3339 or whole numbers in
their unit, dates YYYY-MM-DD or days since 1970. Messages name the field and what belongs there,
never what stands there.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.node import Mapping, Node, Scalar, Sequence, kind
from pipelines.contract.report import Report, meant
from pipelines.explain.plain import RANGES, TICKS, UNIX_EPOCH, ticks

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_HEX: Final = re.compile(r"([0-9A-Fa-f]{2})*", re.ASCII)
NOTHING: Final = object()
"""Stands for a value that could not be read; its mistake is in the report."""


class Reader:
    """Reads nodes by type. Missing fields of records are no mistake here: see `layers`."""

    def __init__(self, report: Report) -> None:
        """Begin with the report that takes the mistakes."""
        self._report = report

    def read(self, avro_type: AvroType, node: Node, path: str) -> Any:
        """The value, as `explain.plain` takes it, times as numbers; `NOTHING` after a mistake."""
        if isinstance(node, Scalar) and node.plain and not node.text:
            return self._wrong(node, path, "something: null, '' or a value")
        match avro_type:
            case Nullable(inner):
                return None if is_null(node) else self.read(inner, node, path)
            case Record():
                return self._record(avro_type, node, path)
            case Array(items):
                if not isinstance(node, Sequence):
                    return self._wrong(node, path, "a list")
                values = [self.read(items, item, f"{path}[]") for item in node.items]
                return NOTHING if NOTHING in values else values
            case Map(values_type):
                if not isinstance(node, Mapping):
                    return self._wrong(node, path, "a mapping of keys to values")
                entries = {key.text: self.read(values_type, value, f"{path}{{}}") for key, value in node}
                return NOTHING if NOTHING in entries.values() else entries
            case Fixed() | Primitive(name="bytes") if isinstance(node, Mapping):
                return self._hex(avro_type, node, path)
        return self._scalar(avro_type, node, path) if isinstance(node, Scalar) else self._wrong(node, path, "one value")

    def _scalar(self, avro_type: AvroType, node: Scalar, path: str) -> Any:
        match avro_type:
            case Enum(_, symbols):
                if node.text not in symbols:
                    hint = meant(node.text, symbols) if len(symbols) <= 16 else ""  # noqa: PLR2004 - more are not read
                    return self._wrong(node, path, "one of the enum's symbols", hint)
                return node.text
            case Fixed(_, size, logical):
                return self._fixed(node, path, size, logical, avro_type.scale)
            case Primitive():
                return self._primitive(avro_type, node, path)
        return self._wrong(node, path, "something else than one value")

    def _record(self, record: Record, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong(node, path, "a mapping of fields to values")
        value = {}
        for key, inside in node:
            field = record.field(key.text)
            there = f"{path}.{key.text}" if path else key.text
            if field is None:
                hint = meant(key.text, [known.name for known in record.fields])
                where = f" in '{path}'" if path else ""
                what = f"There is no such field{where}.{hint}"
                self._report.add("case-field", key.position, what, "Fix the name, or the case's `version`.")
                continue
            read = self.read(field.type, inside, there)
            if read is not NOTHING:
                value[key.text] = read
        return value

    def _primitive(self, primitive: Primitive, node: Scalar, path: str) -> Any:
        text = node.text
        match primitive.name:
            case "string":
                return text
            case "boolean" if text in ("true", "false"):
                return text == "true"
            case "boolean":
                return self._wrong(node, path, "true or false")
            case "int" | "long":
                number = whole(text, primitive.logical)
                fits = number is not None and number in RANGES[primitive.name]
                return number if fits else self._wrong(node, path, _of_number(primitive))
            case "float" | "double":
                real = float(text) if _NUMBER.fullmatch(text) else math.inf
                most = 3.4e38 if primitive.name == "float" else 1.7e308
                return real if abs(real) <= most else self._wrong(node, path, "a number")
            case _ if primitive.logical == "decimal":
                unscaled = _unscaled(text, primitive.scale)
                return self._wrong(node, path, "a decimal number") if unscaled is None else _signed(unscaled, None)
            case _:
                return self._latin(node, path, None)

    def _fixed(self, node: Scalar, path: str, size: int, logical: str | None, scale: int) -> Any:
        if logical == "decimal":
            unscaled = _unscaled(node.text, scale)
            fits = unscaled is not None and unscaled.bit_length() < 8 * size
            return _signed(unscaled or 0, size) if fits else self._wrong(node, path, "a decimal number that fits")
        if logical == "uuid" and len(node.text) != size:
            try:
                return UUID(node.text).bytes.decode("latin-1")
            except ValueError:
                return self._wrong(node, path, "a UUID")
        return self._latin(node, path, size)

    def _hex(self, avro_type: Fixed | Primitive, node: Mapping, path: str) -> Any:
        data = hexadecimal(node.get("hex")) if len(node.entries) == 1 else None
        size = avro_type.size if isinstance(avro_type, Fixed) else None
        if data is None or size not in (None, len(data)):
            return self._wrong(node, path, f"{{hex: …}}{'' if size is None else f' with {2 * size} digits'}")
        return data.decode("latin-1")

    def _latin(self, node: Scalar, path: str, size: int | None) -> Any:
        fits = all(char <= "\xff" for char in node.text) and size in (None, len(node.text))
        what = "bytes, as text or as {hex: …}" if size is None else f"{size} bytes, as text or as {{hex: …}}"
        return node.text if fits else self._wrong(node, path, what)

    def _wrong(self, node: Node, path: str, wanted: str, hint: str = "") -> object:
        given = "" if isinstance(node, Scalar) else f", not {kind(node)}"
        what = f"'{path}' must be {wanted}{given}.{hint}" if path else f"Here must be {wanted}{given}."
        self._report.add(
            "case-value", node.position, what, "Fix the value; docs/privacy-reviewer.md says how each type is written."
        )
        return NOTHING


def hexadecimal(node: Node | None) -> bytes | None:
    """Bytes written as hexadecimal digits, spaces between them or not; None if they are not."""
    digits = re.sub(r"\s", "", node.text) if isinstance(node, Scalar) else "-"
    return bytes.fromhex(digits) if _HEX.fullmatch(digits) else None


def is_null(node: Node) -> bool:
    """Whether a node says null."""
    return isinstance(node, Scalar) and node.plain and node.text == "null"


def whole(text: str, logical: str | None) -> int | None:
    """A whole number, or a time as one in its unit; None if the text is neither."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return None if logical is None or logical.startswith("time-") else ticks(text, logical)


def _of_number(primitive: Primitive) -> str:
    if primitive.logical is None or primitive.logical.startswith("time-"):
        return f"a whole number that fits into {'an int' if primitive.name == 'int' else 'a long'}"
    return "a date, YYYY-MM-DD" if primitive.logical == "date" else "a time, such as 2026-11-23T10:00:00Z"


def _unscaled(text: str, scale: int) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    shifted = Decimal(text).scaleb(scale)
    small = shifted.adjusted() < 38  # noqa: PLR2004 - the digits of Decimal's own precision, and then some
    return int(shifted) if small and shifted == shifted.to_integral_value() else None


def _signed(unscaled: int, size: int | None) -> str:
    length = unscaled.bit_length() // 8 + 1 if size is None else size
    return unscaled.to_bytes(length, "big", signed=True).decode("latin-1")


def spelled(number: int, logical: str) -> object:
    """A time as a case writes it; the number itself where no calendar has it."""
    per_second = TICKS.get(logical.rpartition("-")[2])
    try:
        if logical == "date":
            return (UNIX_EPOCH.date() + timedelta(days=number)).isoformat()
        if per_second is None or logical.startswith("time-"):
            return number
        moment = UNIX_EPOCH + timedelta(microseconds=number * 1_000_000 // per_second)
        return moment.isoformat().replace("+00:00", "Z")
    except OverflowError:
        return number
