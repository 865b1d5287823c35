"""Hostile bytes: whatever comes, the walk answers as the reference would, or with a code; in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from random import Random

import pytest

from pipelines.contract.actions import Action, Count, CountWhere, Keep, OneOf, Present, Within
from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.minimize import Fault, compile_event
from tests.minimize.corruption import every_corruption, every_truncation
from tests.minimize.events import BROKER_MS, event_of, random_event, record_of
from tests.support.random_data import Speller, random_datum, varint

pytestmark = pytest.mark.scaled

LONG, STRING, BOOLEAN = Primitive("long"), Primitive("string"), Primitive("boolean")
EMPTY = Record("Empty", ())
CHECK = Record("Check", record_of(id=STRING, passed=BOOLEAN).fields)
RULES: dict[str, Action] = {"checks[].passed": Keep(), "headers": Count(), 'headers{"host"}': OneOf(("a",), "b")}
EVERYTHING = record_of(
    nulls=Array(Fixed("Nothing", 0)), empties=Array(EMPTY), deep=Array(Array(Array(Array(LONG)))), checks=Array(CHECK),
    headers=Map(STRING), maps=Map(Map(LONG)), texts=Array(STRING), mood=Enum("Mood", ("UP", "DOWN")), text=STRING,
    maybe=Nullable(LONG),
)  # fmt: skip
FIELDS = {field.name: at for at, field in enumerate(EVERYTHING.fields)}
MOST_MEMORY_PER_BYTE = 16
FLOOR = 64 * 1024


@pytest.mark.parametrize("seed", range(12))
def test_a_spoilt_random_event_is_minimized_as_the_reference_says_or_a_code(seed: int) -> None:
    rng = Random(seed)
    event = random_event(rng)
    for version in event.versions:
        proper = Speller(rng, odd=True).event(version.record, random_datum(rng, version.record), version.fingerprint)
        every_truncation(event, proper)
        every_corruption(event, proper)


def head(field: str) -> bytes:
    """The bytes before a field: empty arrays, maps and texts."""
    return b"\x00" * FIELDS[field]


SIZE = 60_000
HOSTILE: dict[str, Callable[[], bytes]] = {
    "2^30 items of no bytes": lambda: head("nulls") + varint(2**30) + b"\x00" * 100,
    "5·10^7 empty records": lambda: head("empties") + varint(50_000_000) + b"\x00" * 100,
    "many blocks of items of no bytes": lambda: head("empties") + (varint(SIZE // 2) * (SIZE // 8)) + b"\x00" * SIZE,
    "as many items of no bytes as bytes are left": lambda: head("empties") + varint(SIZE) + b"\x00" * SIZE,
    "as many records as could be": lambda: head("checks") + varint(SIZE // 2) + b"\x00" * SIZE,
    "one more item than could be": lambda: head("checks") + varint(SIZE // 2 + 1) + b"\x00" * SIZE,
    "arrays in arrays": lambda: head("deep") + b"".join(map(varint, (SIZE, SIZE // 2, SIZE // 4))) + b"\x00" * SIZE * 2,
    "many small blocks": lambda: head("checks") + b"\x02\x00\x01" * (SIZE // 3) + b"\x00" * 10,
    "many small blocks that say their size": lambda: head("checks") + b"\x01\x04\x00\x01" * (SIZE // 4) + b"\x00" * 10,
    "the lowest block count": lambda: head("texts") + varint(-(2**63)) + b"\x00\x00",
    "the lowest block size": lambda: head("texts") + varint(-1) + varint(-(2**63)) + b"\x00\x00",
    "the highest block size": lambda: head("texts") + varint(-1) + varint(2**63 - 1) + b"\x00\x00",
    "the highest count": lambda: head("texts") + varint(2**63 - 1) + b"\x00\x00",
    "a negative length": lambda: head("text") + varint(-1),
    "the lowest length": lambda: head("text") + varint(-(2**63)),
    "the highest length": lambda: head("text") + varint(2**63 - 1),
    "a length just beyond the end": lambda: head("text") + varint(9) + b"12345678",
    "a varint without end": lambda: head("text") + b"\xff" * SIZE,
    "a map of equal keys": lambda: head("headers") + varint(SIZE // 8) + (b"\x08host\x02a") * (SIZE // 8) + b"\x00",
    "a map of one great key": lambda: head("headers") + b"\x02" + varint(SIZE) + b"h" * SIZE + b"\x02a" + b"\x00" * 10,
    "a map of many empty keys": lambda: head("headers") + varint(SIZE // 2) + b"\x00\x00" * (SIZE // 2) + b"\x00" * 10,
    "maps in maps": lambda: head("maps") + varint(SIZE // 2) + (b"\x00\x02\x00\x02\x00") * (SIZE // 5),
    "a great text that is compared": lambda: head("headers") + b"\x02\x08host" + varint(SIZE) + b"\xff" * SIZE,
    "nothing but 0xff": lambda: b"\xff" * SIZE,
    "nothing but 0x80": lambda: b"\x80" * SIZE,
    "nothing but 0x00": lambda: b"\x00" * SIZE,
    "nothing but 0x01": lambda: b"\x01" * SIZE,
    "nothing but 0x02": lambda: b"\x02" * SIZE,
}


@pytest.mark.cpu_seconds(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_end_in_a_code_in_memory_of_a_small_multiple_of_their_size(name: str) -> None:
    event = event_of([EVERYTHING], RULES, {"checks": CountWhere("passed", (True,)), "empties": Count()})
    program = compile_event(event)
    value = b"\xc3\x01" + event.versions[0].fingerprint + HOSTILE[name]()
    tracemalloc.start()
    try:
        outcome = program.minimize(value, [None, None], BROKER_MS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Fault)
    assert outcome.structural
    assert peak < FLOOR + MOST_MEMORY_PER_BYTE * len(value)


@pytest.mark.parametrize("kind", [Fixed("Nothing", 0), EMPTY], ids=["fixed", "record"])
def test_items_that_take_no_bytes_may_be_counted_and_nothing_else(kind: AvroType) -> None:
    event = event_of([record_of(f=Array(kind), rest=STRING)], {"f": Count()})
    value = b"\xc3\x01" + event.versions[0].fingerprint + varint(3) + b"\x00" + b"\x0cabcdef"
    outcome = compile_event(event).minimize(value, [lambda one: one], BROKER_MS)
    assert isinstance(outcome, list)
    assert outcome[0] is not None
    assert getattr(outcome[0], "value", b"")[10:] == varint(2)
    with pytest.raises(ValueError, match="take no bytes"):
        compile_event(event_of([record_of(f=Array(kind))], {"f[]": Present()}))


def test_a_dropped_text_is_passed_over_without_being_looked_at() -> None:
    event = event_of([record_of(f=STRING, g=LONG)], {"g": Within(0, 9)})
    program = compile_event(event)
    value = b"\xc3\x01" + event.versions[0].fingerprint + varint(10_000_000) + b"\xff" * 10_000_000 + b"\x02"
    tracemalloc.start()
    try:
        outcome = program.minimize(value, [lambda one: one], BROKER_MS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, list)
    assert peak < FLOOR
