"""JSON in, the very bytes of a producer out; and what does not fit is told without its value."""

import io
import struct
from typing import Any

import fastavro
import orjson
import pytest

from pipelines.contract.avro import Array, AvroType, Enum, Field, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, RawSchema
from pipelines.explain import UNFIT_CODES, Unfit, encode, parse
from pipelines.simulate import Simulation
from tests.explain.wire_values import written_plainly

CANARY = "canary-7f3a"


def schema(*fields: tuple[str, AvroType]) -> RawSchema:
    record = Record("t.E", tuple(Field(name, type_, Position("t")) for name, type_ in fields))
    return RawSchema("t.e", 1, record, "", bytes(8), Position("t"))


def body(type_: AvroType, value: Any) -> bytes | Unfit:
    made = encode(schema(("f", type_)), {"f": value})
    return made[10:] if isinstance(made, bytes) else made


def test_simulated_events_of_all_types_written_as_json_give_what_a_producer_sends(shipped: Contract) -> None:
    seen = set()
    for event in Simulation(shipped, seed=7, devices=20).events(400, start_ms=1_795_000_000_000):
        raw = next(v for v in shipped.events[event.event].versions if v.version == event.version)
        text = orjson.dumps(written_plainly(event.fields))
        document = parse(text)
        assert not isinstance(document, Unfit)
        out = io.BytesIO()
        without_logical = orjson.loads(raw.text.replace('"logicalType"', '"was"'))
        fastavro.schemaless_writer(out, fastavro.parse_schema(without_logical), event.fields)
        assert encode(raw, document) == b"\xc3\x01" + raw.fingerprint + out.getvalue()
        seen.add(event.event)
    assert seen == set(shipped.events)


@pytest.mark.parametrize(
    ("type_", "value", "bytes_"),
    [
        (Primitive("boolean"), True, b"\x01"),
        (Primitive("int"), -1, b"\x01"),
        (Primitive("long"), -(1 << 63), b"\xff" * 9 + b"\x01"),
        (Primitive("float"), 1, struct.pack("<f", 1)),
        (Primitive("double"), 0.5, struct.pack("<d", 0.5)),
        (Primitive("string"), "é", b"\x04\xc3\xa9"),
        (Primitive("bytes"), "é\x00", b"\x04\xe9\x00"),
        (Primitive("long", "timestamp-millis"), "1970-01-01T00:00:01.5Z", b"\xb8\x17"),
        (Primitive("long", "timestamp-micros"), "1970-01-01T00:00:00.000064+00:00", b"\x80\x01"),
        (Primitive("long", "timestamp-millis"), 64, b"\x80\x01"),
        (Primitive("int", "date"), "1970-01-03", b"\x04"),
        (Primitive("bytes", "decimal", 2), 1.27, b"\x02\x7f"),
        (Primitive("bytes", "decimal", 2), 1.28, b"\x04\x00\x80"),
        (Fixed("D", 2, "decimal", 1), -0.1, b"\xff\xff"),
        (Fixed("U", 16, "uuid"), "00000000-0000-4000-8000-0000000000ff", bytes(6) + b"\x40\0\x80" + bytes(6) + b"\xff"),
        (Fixed("F", 2), "\x01ÿ", b"\x01\xff"),
        (Enum("E", ("A", "B")), "B", b"\x02"),
        (Array(Primitive("int")), [], b"\x00"),
        (Array(Primitive("int")), [1, 2], b"\x04\x02\x04\x00"),
        (Map(Primitive("boolean")), {"k": False}, b"\x02\x02k\x00\x00"),
        (Nullable(Primitive("int")), None, b"\x00"),
        (Nullable(Primitive("int")), 1, b"\x02\x02"),
        (Nullable(Primitive("int"), null_index=1), 1, b"\x00\x02"),
        (Nullable(Primitive("int"), null_index=1), None, b"\x02"),
    ],
)
def test_each_type_is_written_as_avro_writes_it(type_: AvroType, value: Any, bytes_: bytes) -> None:
    assert body(type_, value) == bytes_


def test_a_nullable_field_may_be_left_out_and_another_may_not() -> None:
    optional = schema(("f", Nullable(Primitive("int"))))
    assert encode(optional, {}) == encode(optional, {"f": None})
    assert encode(schema(("f", Primitive("int"))), {}) == Unfit("missing_field", "f")


@pytest.mark.parametrize(
    ("type_", "value", "code", "path"),
    [
        (Primitive("boolean"), 1, "wrong_type", "f"),
        (Primitive("int"), True, "wrong_type", "f"),
        (Primitive("int"), CANARY, "wrong_type", "f"),
        (Primitive("int"), 1 << 31, "out_of_range", "f"),
        (Primitive("long"), 1 << 63, "out_of_range", "f"),
        (Primitive("float"), 1e300, "out_of_range", "f"),
        (Primitive("double"), 1 << 2000, "out_of_range", "f"),
        (Primitive("string"), 1, "wrong_type", "f"),
        (Primitive("bytes"), f"{CANARY}\u0100", "wrong_type", "f"),
        (Primitive("bytes", "decimal", 1), 0.123, "out_of_range", "f"),
        (Primitive("long", "timestamp-millis"), CANARY, "wrong_type", "f"),
        (Primitive("int", "date"), CANARY, "wrong_type", "f"),
        (Fixed("F", 4), CANARY, "wrong_size", "f"),
        (Fixed("U", 16, "uuid"), CANARY, "wrong_type", "f"),
        (Fixed("D", 1, "decimal", 0), 128, "out_of_range", "f"),
        (Enum("E", ("A",)), CANARY, "unknown_symbol", "f"),
        (Array(Primitive("int")), {CANARY: 1}, "wrong_type", "f"),
        (Array(Primitive("int")), [1, CANARY], "wrong_type", "f[]"),
        (Map(Primitive("int")), {CANARY: CANARY}, "wrong_type", "f{}"),
        (Record("t.R", (Field("g", Primitive("int"), Position("t")),)), {CANARY: 1}, "unknown_field", "f"),
        (Record("t.R", (Field("g", Primitive("int"), Position("t")),)), {"g": CANARY}, "wrong_type", "f.g"),
    ],
)
def test_what_does_not_fit_is_told_by_code_and_path_and_never_by_value(
    type_: AvroType, value: Any, code: str, path: str
) -> None:
    told = body(type_, value)
    assert told == Unfit(code, path)
    assert code in UNFIT_CODES
    assert CANARY not in repr(told)


@pytest.mark.parametrize(
    ("text", "code"),
    [(b'{"a": "canary-7f3a"', "not_json"), (b'["canary-7f3a"]', "not_an_object"), (b'{"a": "\xff"}', "not_json")],
    ids=["cut off", "an array", "not utf-8"],
)
def test_a_text_that_is_no_json_object_is_told_without_the_text(text: bytes, code: str) -> None:
    told = parse(text)
    assert told == Unfit(code, "")
