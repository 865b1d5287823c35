"""The walk as a guard: every code of the vocabulary, with the path that it names."""

from __future__ import annotations

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
from pipelines.contract.avro import Array, AvroType, Map, Primitive
from pipelines.minimize import FAULT_CODES, Fault, Minimized, compile_event
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES
from tests.minimize.broken_bodies import (
    BYTES,
    CHECK,
    DOUBLE,
    INT,
    LONG,
    MOOD,
    MOST,
    ONE,
    STRING,
    STRUCTURAL,
    TIME,
    minimize,
)
from tests.minimize.events import BROKER_MS, event_of, record_of
from tests.support.random_data import varint


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
    ("unparsable", "f", STRING, b"\x021", {"f": Truncate(60_000, read="iso8601")}),
    ("unparsable", "f", STRING, b"\x02x", {"f": Bucket((0, 10), "decimal")}),
    ("unparsable", "f", DOUBLE, bytes.fromhex("000000000000f87f"), {"f": Truncate(60_000, read="epoch_seconds")}),
    ("out_of_range", "f", STRING, b"\x04-1", {"f": Bucket((0, 10), "decimal")}),
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
    outcome = compile_event(event).minimize(value, [lambda one: one[:16]] * 2, BROKER_MS)
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
    assert compile_event(event_of([record_of(f=LONG)], {})).minimize(value, [None], BROKER_MS) == Fault(code, "")


@pytest.mark.parametrize(("used", "whole"), [(0, True), (1, True), (2, False)])
def test_all_arrays_and_maps_of_an_event_share_one_limit_of_items(used: int, whole: bool) -> None:
    """One array of 65,535 items of which a view counts, and a map beside it that no view uses."""
    event = event_of([record_of(f=Array(LONG), m=Map(LONG))], {"f": Count()})
    body = (
        varint(MOST - 1)
        + b"\x02" * (MOST - 1)
        + b"\x00"
        + (varint(used) + b"\x00\x02" * used if used else b"")
        + b"\x00"
    )
    outcome = compile_event(event).minimize(
        b"\xc3\x01" + event.versions[0].fingerprint + body, [lambda one: one], BROKER_MS
    )
    assert outcome == Fault("item_limit", "m") if not whole else isinstance(outcome, list)


def test_every_code_of_the_vocabulary_is_shown_here() -> None:
    shown = {code for code, *_ in STRUCTURAL + BOUND} | {"no_value", "not_single_object", "unknown_schema"}
    assert shown == set(FAULT_CODES) == set(STRUCTURAL_CODES) | set(BOUND_CODES)


def test_a_view_that_is_left_out_has_no_outcome_and_makes_no_handle() -> None:
    event = event_of([record_of(f=STRING)], {"f": Handle()}, {"f": Handle()})
    value = b"\xc3\x01" + event.versions[0].fingerprint + b"\x04id"
    outcome = compile_event(event).minimize(value, [None, lambda one: one * 8], BROKER_MS)
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
        program.minimize(proper + rest, [ask], BROKER_MS)
    assert asked == []
    program.minimize(proper + b"\x12", [ask], BROKER_MS)
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
