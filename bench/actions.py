"""An event type for each action: an id, a time, and one field that its view does this with."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import fastavro

from bench.folder import EventType, write_contract

PLAIN: Final = "bench-1"  # the purpose without a handle
HANDLED: Final = "bench-2"
_ENUM: Final = {"type": "enum", "name": "Kind", "symbols": ["FIRST", "SECOND", "THIRD", "FOURTH"]}
_PARTS: Final = {
    "type": "array",
    "items": {"type": "record", "name": "Part", "fields": [
        {"name": "kind", "type": _ENUM, "class": "metadata"},
        {"name": "passed", "type": "boolean", "class": "metadata"},
    ]},
}  # fmt: skip
_TEXTS: Final = {"type": "array", "items": "string"}
_TIME: Final = {"type": "long", "logicalType": "timestamp-millis"}
_PARTS_MADE: Final = [{"kind": kind, "passed": True} for kind in _ENUM["symbols"]]


@dataclass(frozen=True, slots=True)
class Case:
    """An action on a type: its rule, the values that take turns, and what of the field is kept or is not, by path."""

    type: Any
    rule: str
    values: tuple[Any, ...]
    class_: str | None = "metadata"
    kept: str = "field"
    dropped: tuple[str, ...] = ()


CASES: Final[Mapping[str, Case]] = {
    "keep-boolean": Case("boolean", "keep", (True, False)),
    "keep-enum": Case(_ENUM, "keep", tuple(_ENUM["symbols"])),
    "within": Case("int", "{within: [1, 64]}", (1, 17, 64)),
    "bucket": Case("long", "{bucket: [0, 1KiB, 1MiB, 100MiB]}", (5, 70_000, 5_000_000)),
    "truncate": Case(_TIME, "{truncate: 1h}", (1_790_000_000_000, 1_790_000_123_456)),
    "one-of": Case("string", "{one_of: [eu-west, us-east], else: other}", ("eu-west", "us-east", "moon")),
    "matches": Case("string", "{matches: '[3-5]\\.[0-9]{1,2}\\.[0-9]', max: 6}", ("3.1.0", "4.12.7")),
    "map": Case("string", "{map: {allow: yes-, deny: no-}, else: other}", ("allow", "deny", "ask")),
    "count": Case(_TEXTS, "count", (["synthetic-name.example"] * 3, []), "content"),
    "count-where": Case(_PARTS, "{count_where: {kind: [FIRST, SECOND]}}", (_PARTS_MADE, []), None),
    "items": Case(_PARTS, "keep", (_PARTS_MADE, _PARTS_MADE[:1]), None, "field[].kind", ("field[].passed",)),
    "present": Case("string", "present", ("synthetic",), "content"),
    "handle": Case("string", "handle", tuple(f"synthetic-{n}" for n in range(9)), "device_identifier"),
}


def write(folder: Path) -> Path:
    """Write the contract with an event type for each case."""
    events = [
        EventType(
            name,
            _schema(name),
            {HANDLED if name == "handle" else PLAIN: {case.kept: case.rule}},
            ("event_id", "occurred_at", *case.dropped),
        )
        for name, case in CASES.items()
    ]
    return write_contract(folder, events, {PLAIN: "none", HANDLED: "device"})


def pool(name: str, header: bytes, count: int) -> list[bytes]:
    """Raw events of a case."""
    case, random = CASES[name], Random(1)
    parsed, made = fastavro.parse_schema(_schema(name)), []
    for number in range(count):
        body = io.BytesIO()
        fields = {
            "event_id": random.randbytes(18).hex(),
            "occurred_at": 1_790_000_000_000 + number,
            "field": case.values[number % len(case.values)],
        }
        fastavro.schemaless_writer(body, parsed, fields)
        made.append(header + body.getvalue())
    return made


def _schema(name: str) -> dict[str, Any]:
    case = CASES[name]
    field = {"name": "field", "type": case.type}
    if case.class_ is not None:
        field["class"] = case.class_
    if case.type in (_PARTS, _TEXTS):
        field["max_items"] = 16
    return {"type": "record", "name": name.title().replace("-", ""), "namespace": "bench", "fields": [
        {"name": "event_id", "type": "string", "class": "event_id"},
        {"name": "occurred_at", "type": _TIME, "class": "event_time"},
        field,
    ]}  # fmt: skip
