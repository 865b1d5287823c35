"""Events with one field, and bodies of them that are malformed: the fault and the path that the walk must name."""

from __future__ import annotations

from typing import Any

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    Handle,
    Keep,
    Matches,
    OneOf,
    Within,
)  # fmt: skip
from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.minimize import Fault, compile_event
from tests.minimize.events import BROKER_MS, event_of, record_of
from tests.support.random_data import varint

BOOLEAN, INT, LONG, DOUBLE, BYTES, STRING = map(Primitive, ("boolean", "int", "long", "double", "bytes", "string"))  # type: ignore[arg-type]
MOOD = Enum("Mood", ("UP", "DOWN"))
CHECK = Record("Check", record_of(id=STRING, passed=BOOLEAN).fields)
TIME = Primitive("long", "timestamp-millis")
ONE = varint(1)
MOST = 65_536  # items in all arrays and maps of an event


def minimize(kind: AvroType, body: bytes, rules: dict[str, Action] | None = None) -> Any:
    """The fault of an event with one field `f`, or what the one view makes of it."""
    event = event_of([record_of(f=kind)], rules or {})
    value = b"\xc3\x01" + event.versions[0].fingerprint + body
    outcome = compile_event(event).minimize(value, [lambda one: one[:16]], BROKER_MS)
    return outcome if isinstance(outcome, Fault) else outcome[0]


STRUCTURAL: list[tuple[str, str, AvroType, bytes, dict[str, Action]]] = [
    ("truncated", "f", STRING, b"", {}),
    ("truncated", "f", STRING, b"\x04a", {}),
    ("truncated", "f", STRING, b"\x04a", {"f": OneOf(("a",))}),
    ("truncated", "f", STRING, varint(2**62) + b"a", {}),
    ("truncated", "f", STRING, b"\x04a", {"f": Handle()}),
    ("truncated", "f", Fixed("F", 4), b"abc", {}),
    ("truncated", "f", Fixed("F", 4), b"abc", {"f": Handle()}),
    ("truncated", "f", Fixed("F", 4, "decimal"), b"abc", {"f": Bucket((0,))}),
    ("truncated", "f", DOUBLE, b"\0" * 7, {}),
    ("truncated", "f", DOUBLE, b"\0" * 7, {"f": Bucket((0,))}),
    ("truncated", "f", LONG, b"\x80", {}),
    ("truncated", "f", Nullable(LONG), b"", {}),
    ("truncated", "f[]", Array(LONG), b"\x02\x80", {}),
    ("truncated", "f", Array(LONG), b"\x02\x02", {}),
    ("trailing_bytes", "", LONG, b"\x00\x00", {}),
    ("varint", "f", LONG, b"\x80\x00", {}),
    ("varint", "f", LONG, b"\x80\x00", {"f": Within(0, 9)}),
    ("varint", "f", LONG, b"\xff" * 9 + b"\x02", {}),
    ("varint", "f", LONG, b"\xff" * 10 + b"\x01", {"f": Bucket((0,))}),
    ("varint", "f", INT, b"\xff" * 4 + b"\x10", {}),
    ("varint", "f", INT, b"\xff" * 4 + b"\x10", {"f": Within(0, 9)}),
    ("varint", "f", INT, b"\xff" * 5 + b"\x01", {}),
    ("varint", "f", STRING, b"\x82\x00a", {}),
    ("varint", "f", MOOD, b"\x82\x00", {}),
    ("varint", "f", MOOD, b"\x82\x00", {"f": Keep()}),
    ("varint", "f", Array(LONG), b"\x82\x00\x00\x00", {}),
    ("negative_length", "f", STRING, b"\x01", {}),
    ("negative_length", "f", BYTES, b"\x81\x01", {}),
    ("negative_length", "f", STRING, b"\x01", {"f": Handle()}),
    ("negative_length", "f{}", Map(LONG), b"\x02\x01\x00\x00", {}),
    ("negative_length", "f", Map(LONG), b"\x02\x01\x00\x00", {'f{"a"}': Within(0, 9)}),
    ("union_index", "f", Nullable(LONG), b"\x04\x00", {}),
    ("union_index", "f", Nullable(LONG), b"\x01", {}),
    ("union_index", "f", Nullable(LONG, 1), b"\x80\x00", {}),
    ("union_index", "f", Nullable(LONG), b"\x03\x00", {"f": Within(0, 9)}),
    ("enum_index", "f", MOOD, b"\x04", {}),
    ("enum_index", "f", MOOD, b"\x01", {}),
    ("enum_index", "f", MOOD, b"\x04", {"f": Keep()}),
    ("enum_index", "f", MOOD, b"\x01", {"f": Keep()}),
    ("boolean", "f", BOOLEAN, b"\x02", {}),
    ("boolean", "f", BOOLEAN, b"\x02", {"f": Keep()}),
    ("boolean", "f[].passed", Array(CHECK), b"\x02\x02a\x02\x00", {"f[].id": OneOf(("a",))}),
    ("item_count", "f", Array(LONG), varint(3) + b"\x02\x02", {}),
    ("item_count", "f", Array(DOUBLE), ONE + b"\0" * 7, {}),
    ("item_count", "f", Array(CHECK), varint(2) + b"\x02a\x01", {"f[].passed": Keep()}),
    ("item_count", "f", Map(LONG), ONE + b"\x00", {'f{"a"}': Within(0, 9)}),
    ("item_count", "f", Array(Fixed("F", 0)), varint(2) + b"\x00", {"f": Count()}),
    ("item_limit", "f", Array(LONG), varint(MOST + 1) + b"\x80\x00" * (MOST + 1), {}),
    ("item_limit", "f", Array(LONG), (ONE + b"\x02") * (MOST + 1) + b"\x00", {"f": Count()}),
    ("item_limit", "f", Array(CHECK), varint(MOST + 1) + b"\x00\x02" * (MOST + 1), {"f[].passed": Keep()}),
    ("item_limit", "f", Map(LONG), varint(MOST + 1) + b"\x00\x80" * (MOST + 1), {'f{"a"}': Within(0, 9)}),
    ("item_limit", "f", Array(Fixed("F", 0)), varint(MOST + 1) + b"\x02" * (MOST + 1), {"f": Count()}),
    ("item_limit", "f[]", Array(Array(LONG)), varint(2) + (varint(MOST - 1) + b"\x02" * (MOST - 1) + b"\x00") * 2, {}),
    ("block_size", "f", Array(LONG), b"\x01\x04\x02\x00", {}),
    ("block_size", "f", Array(LONG), b"\x01\x01\x02\x00", {}),
    ("block_size", "f", Array(CHECK), b"\x01\x04\x02a\x01\x00", {"f[].passed": Keep()}),
    ("block_size", "f", Map(LONG), b"\x01\x04\x02a\x02\x00", {'f{"a"}': Within(0, 9)}),
    ("utf8", "f", STRING, b"\x02\xff", {"f": OneOf(("a",), "other")}),
    ("utf8", "f", STRING, b"\x06\xed\xa0\x80", {"f": Matches("a", 1, ("a",))}),
    ("duplicate_key", "f", Map(LONG), varint(2) + b"\x02a\x02\x02A\x02\x00", {'f{"a"}': Within(0, 9)}),
    ("duplicate_key", "f", Map(LONG), ONE + b"\x02a\x02" + ONE + b"\x02a\x02\x00", {'f{"a"}': Within(0, 9)}),
]
