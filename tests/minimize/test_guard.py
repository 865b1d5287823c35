"""The walk as a guard: every code of the vocabulary, with the path that it names."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Truncate,
    Within,
)  # fmt: skip
from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.minimize import FAULT_CODES, Fault, Minimized, compile_event
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES
from tests.minimize.data import varint
from tests.minimize.events import event_of, record_of

BOOLEAN, INT, LONG, DOUBLE, BYTES, STRING = map(Primitive, ("boolean", "int", "long", "double", "bytes", "string"))  # type: ignore[arg-type]
MOOD = Enum("Mood", ("UP", "DOWN"))
CHECK = Record("Check", record_of(id=STRING, passed=BOOLEAN).fields)
TIME = Primitive("long", "timestamp-millis")
ONE = varint(1)


def minimize(kind: AvroType, body: bytes, rules: dict[str, Action] | None = None) -> Any:
    """The fault of an event with one field `f`, or what the one view makes of it."""
    event = event_of([record_of(f=kind)], rules or {})
    outcome = compile_event(event).minimize(b"\xc3\x01" + event.versions[0].fingerprint + body, [lambda one: one[:16]])
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
    ("block_size", "f", Array(LONG), b"\x01\x04\x02\x00", {}),
    ("block_size", "f", Array(LONG), b"\x01\x01\x02\x00", {}),
    ("block_size", "f", Array(CHECK), b"\x01\x04\x02a\x01\x00", {"f[].passed": Keep()}),
    ("block_size", "f", Map(LONG), b"\x01\x04\x02a\x02\x00", {'f{"a"}': Within(0, 9)}),
    ("utf8", "f", STRING, b"\x02\xff", {"f": OneOf(("a",), "other")}),
    ("utf8", "f", STRING, b"\x06\xed\xa0\x80", {"f": Matches("a", 1, ("a",))}),
    ("duplicate_key", "f", Map(LONG), varint(2) + b"\x02a\x02\x02A\x02\x00", {'f{"a"}': Within(0, 9)}),
    ("duplicate_key", "f", Map(LONG), ONE + b"\x02a\x02" + ONE + b"\x02a\x02\x00", {'f{"a"}': Within(0, 9)}),
]


@pytest.mark.parametrize(("code", "path", "kind", "body", "rules"), STRUCTURAL)
def test_malformed_bytes_are_a_structural_fault_at_the_field(
    code: str, path: str, kind: AvroType, body: bytes, rules: dict[str, Action]
) -> None:
    assert minimize(kind, body, rules) == Fault(code, path)


BOUND: list[tuple[str, str, AvroType, bytes, dict[str, Action]]] = [
    ("out_of_range", "f", INT, varint(10), {"f": Within(0, 9)}),
    ("out_of_range", "f", INT, varint(-1), {"f": Within(0, 9)}),
    ("out_of_range", "f", LONG, varint(-1), {"f": Bucket((0, 10))}),
    ("out_of_range", "f", DOUBLE, bytes.fromhex("000000000000f87f"), {"f": Bucket((0, 10))}),
    ("out_of_range", "f", DOUBLE, bytes.fromhex("000000000000f0ff"), {"f": Bucket((0, 10))}),
    ("out_of_range", "f", Primitive("bytes", "decimal", 2), b"\x02\xff", {"f": Bucket((0, 10))}),
    ("out_of_range", "f", TIME, varint(253_402_300_800_000), {"f": Truncate(60_000)}),
    ("out_of_range", "f", TIME, varint(-62_135_596_800_001), {"f": Truncate(60_000)}),
    ("out_of_range", "f", Primitive("int", "date"), varint(2_932_897), {"f": Truncate(86_400_000)}),
    ("out_of_range", "f", Primitive("long", "timestamp-nanos"), varint(-(2**63)), {"f": Truncate(86_400_000)}),
    ("not_listed", "f", STRING, b"\x02b", {"f": OneOf(("a",))}),
    ("not_listed", "f", STRING, b"\x04aa", {"f": Matches("a", 1, ("a",))}),
    ("not_listed", "f", MOOD, b"\x02", {"f": MapTo((("UP", "u"),))}),
    ("not_listed", "f{}", Map(LONG), ONE + b"\x02A" + varint(3) + b"\0", {'f{"a"}': MapTo(((1, "one"),))}),
    ("too_many_items", "f", Array(LONG), varint(5) + b"\x02" * 5 + b"\x00", {"f": Count()}),
    ("too_many_items", "f", Array(LONG), varint(5) + b"\x02" * 5 + b"\x00", {"f[]": Within(0, 9)}),
    ("too_many_items", "f", Array(CHECK), varint(5) + b"\0\1" * 5 + b"\x00", {"f": CountWhere("id", ("",))}),
    ("out_of_range", "f[]", Array(LONG), varint(2) + b"\x02\x14\x00", {"f[]": Within(0, 9)}),
    ("identifier_size", "f", STRING, b"\x00", {"f": Handle()}),
    ("identifier_size", "f", BYTES, varint(257) + b"a" * 257, {"f": Handle()}),
]


@pytest.mark.parametrize(("code", "path", "kind", "body", "rules"), BOUND)
def test_a_value_out_of_bound_is_a_fault_of_its_view_at_the_field(
    code: str, path: str, kind: AvroType, body: bytes, rules: dict[str, Action]
) -> None:
    event = event_of([record_of(f=kind)], rules, {"f": Present()})
    value = b"\xc3\x01" + event.versions[0].fingerprint + body
    outcome = compile_event(event).minimize(value, [lambda one: one[:16]] * 2)
    assert isinstance(outcome, list)
    assert outcome[0] == Fault(code, path)
    assert isinstance(outcome[1], Minimized)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("no_value", None), ("not_single_object", b""), ("not_single_object", b"\xc3\x01\x00\x00"),
        ("not_single_object", b"{}" * 20), ("not_single_object", b"\xc3\x02" + b"\0" * 8),
        ("unknown_schema", b"\xc3\x01" + b"\0" * 8), ("unknown_schema", b"\xc3\x01" + b"\0" * 80),
    ],
)  # fmt: skip
def test_what_names_no_known_schema_is_a_structural_fault(code: str, value: bytes | None) -> None:
    assert compile_event(event_of([record_of(f=LONG)], {})).minimize(value, [None]) == Fault(code, "")


def test_every_code_of_the_vocabulary_is_shown_here() -> None:
    shown = {code for code, *_ in STRUCTURAL + BOUND} | {"no_value", "not_single_object", "unknown_schema"}
    assert shown == set(FAULT_CODES) == set(STRUCTURAL_CODES) | set(BOUND_CODES)


def test_a_view_that_is_left_out_has_no_outcome_and_makes_no_handle() -> None:
    event = event_of([record_of(f=STRING)], {"f": Handle()}, {"f": Handle()})
    value = b"\xc3\x01" + event.versions[0].fingerprint + b"\x04id"
    outcome = compile_event(event).minimize(value, [None, lambda one: one * 8])
    assert isinstance(outcome, list)
    assert outcome[0] is None
    assert outcome[1] == Minimized(b"\xc3\x01" + event.views[1].fingerprint + b"id" * 8, b"id" * 8)


def test_no_handle_is_made_for_an_event_that_turns_out_malformed_or_out_of_bound() -> None:
    event = event_of([record_of(f=STRING, g=INT)], {"f": Handle(), "g": Within(0, 9)})
    program = compile_event(event)
    asked: list[bytes] = []

    def ask(identifier: bytes) -> bytes:
        asked.append(identifier)
        return identifier

    proper = b"\xc3\x01" + event.versions[0].fingerprint + b"\x04id"
    for rest in (b"", b"\x14"):
        program.minimize(proper + rest, [ask])
    assert asked == []
    program.minimize(proper + b"\x12", [ask])
    assert asked == [b"id"]


def nested(depth: int) -> AvroType:
    kind: AvroType = LONG
    for _ in range(depth):
        kind = Array(kind)
    return kind


def test_a_schema_nested_deeper_than_the_limit_is_not_compiled() -> None:
    assert minimize(nested(60), b"\x00") is not None
    with pytest.raises(ValueError, match="nested deeper"):
        minimize(nested(65), b"\x00")


@pytest.mark.parametrize(
    ("kind", "rules"),
    [
        (STRING, {"f": Keep()}), (LONG, {"f": Handle()}), (MOOD, {"f": Bucket((0,))}), (DOUBLE, {"f": Within(0, 1)}),
        (LONG, {"f": Truncate(60_000)}), (Array(LONG), {"f": Keep()}), (CHECK, {"f": Count()}),
        (Primitive("int", "date"), {"f": Truncate(60_000)}),
    ],
)  # fmt: skip
def test_an_action_that_a_type_does_not_take_is_not_compiled(kind: AvroType, rules: dict[str, Action]) -> None:
    with pytest.raises(ValueError, match="f: "):
        minimize(kind, b"\x00", rules)
