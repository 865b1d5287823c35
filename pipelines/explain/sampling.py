"""Sampling: raw events in, the rows that each view would keep of them out. Keys last as long as the sampler.

A row holds what a record says as values that can be compared; it stays in this process, and what is told of rows is
names and counts. The broker's time of an event is taken from its `occurred_at`: a sample has no broker. So a limited
`occurred_at` says what the time of arrival says, and no more.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import fastavro
import orjson

from pipelines.contract.actions import Handle
from pipelines.contract.avro import Array, FieldClass, Map, Primitive, Record, not_null
from pipelines.contract.model import DAY_MS, Contract, Event, OutputField, RawSchema, View
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.minimize.reference import decode

RECORD_TIME: Final = "(the record's time)"
_HEADER_BYTES: Final = 10
_PER_DAY: Final = {
    "timestamp-millis": DAY_MS,
    "timestamp-micros": DAY_MS * 1_000,
    "timestamp-nanos": DAY_MS * 1_000_000,
}
_WHO: Final = (FieldClass.DEVICE_IDENTIFIER, FieldClass.ACCOUNT_IDENTIFIER)


@dataclass(frozen=True, slots=True)
class Row:
    """What one view keeps of one event.

    `values` are in the order of the table's columns. `who` stands for the device that sent the event (or its
    account, where it names no device; None: neither), `handle` for the record's handle of that epoch, if it has one.
    """

    values: tuple[Hashable, ...]
    who: bytes | None
    handle: bytes | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Table:
    """A view's rows, one for each event that it keeps; `None` where it has no record of the event."""

    view: View
    columns: tuple[str, ...]
    rows: list[Row | None]

    def kept(self) -> list[Row]:
        """The rows that there are."""
        return [row for row in self.rows if row is not None]


class Sampler:
    """The views of one event type over a sample of its events."""

    def __init__(self, contract: Contract, event: Event) -> None:
        self._event = event
        self._program = compile_event(event)
        self._secret = secrets.token_bytes(32)
        self._times = {version.fingerprint: _time_unit(version) for version in event.versions}
        self._paths = {version.fingerprint: who_path(version) for version in event.versions}
        self._readers = [_Reader(view, contract.purposes[view.purpose].rotate_ms) for view in event.views]
        self.malformed = 0
        self.tables = [Table(reader.view, reader.columns, []) for reader in self._readers]

    def add(self, value: bytes) -> None:
        """Take one raw event, in Avro single-object encoding; one that is malformed is counted and left out."""
        nobody: list[None] = [None] * len(self._readers)
        if isinstance(self._program.minimize(value, nobody, 0), Fault):  # only what is well-formed can be decoded
            self.malformed += 1
            return
        fields = decode(self._event, value)
        fingerprint = value[2:_HEADER_BYTES]
        at_ms = int(fields["occurred_at"] * DAY_MS // self._times[fingerprint])
        outcomes = self._program.minimize(value, [self._hashed] * len(self._readers), at_ms)
        assert not isinstance(outcomes, Fault)  # noqa: S101 - the same bytes were well-formed above
        identifier = at_path(fields, self._paths[fingerprint])
        who = None if identifier is None else self._hashed(identifier)
        for reader, outcome, table in zip(self._readers, outcomes, self.tables, strict=True):
            table.rows.append(reader.row(outcome, who, at_ms) if isinstance(outcome, Minimized) else None)

    def _hashed(self, identifier: bytes) -> bytes:
        return blake2b(identifier, key=self._secret, digest_size=16).digest()


class _Reader:
    """Reads the minimized values of one view."""

    def __init__(self, view: View, rotate_ms: int) -> None:
        self.view = view
        self._rotate_ms = rotate_ms
        self._schema = fastavro.parse_schema(orjson.loads(view.schema))
        handles = {o.name for o in view.output if isinstance(o, OutputField) and isinstance(o.rule.action, Handle)}
        self._names = tuple(output.name for output in view.output if output.name not in handles)
        self._adds_time = not any(str(rule.path) == "occurred_at" for rule in view.rules)
        self.columns = (*self._names, RECORD_TIME) if self._adds_time else self._names

    def row(self, made: Minimized, who: bytes | None, at_ms: int) -> Row:
        record: Any = fastavro.schemaless_reader(io.BytesIO(made.value[_HEADER_BYTES:]), self._schema, None)
        values = [_comparable(record[name]) for name in self._names]
        if self._adds_time:
            values.append(at_ms // self.view.step_ms)
        handle = None if made.key is None else b"%d %b" % (at_ms // self._rotate_ms, made.key)
        return Row(tuple(values), who, handle, at_ms)


def _comparable(value: Any) -> Hashable:
    if isinstance(value, list):
        return tuple(_comparable(item) for item in value)
    if isinstance(value, dict):
        return tuple(_comparable(item) for item in value.values())
    found: Hashable = value
    return found


def _time_unit(version: RawSchema) -> int:
    field = version.record.field("occurred_at")
    logical = field.type.logical if field is not None and isinstance(field.type, Primitive) else None
    return _PER_DAY[logical or "timestamp-millis"]


def who_path(version: RawSchema) -> tuple[str, ...]:
    """The path to the identifier of the device that sent the event, or of the account; empty if there is none."""
    found = dict(reversed(_identifiers(version.record, ())))
    return next((found[class_] for class_ in _WHO if class_ in found), ())


def _identifiers(record: Record, before: tuple[str, ...]) -> list[tuple[FieldClass, tuple[str, ...]]]:
    found: list[tuple[FieldClass, tuple[str, ...]]] = []
    deeper: list[tuple[FieldClass, tuple[str, ...]]] = []
    for field in record.fields:
        kind = not_null(field.type)
        if isinstance(kind, Record):
            deeper += _identifiers(kind, (*before, field.name))
        elif field.class_ in _WHO and not isinstance(kind, Array | Map):
            found.append((field.class_, (*before, field.name)))
    return found + deeper


def at_path(fields: Mapping[str, Any], path: tuple[str, ...]) -> bytes | None:
    """The identifier at a path of a decoded event; None if there is none."""
    here: Any = fields if path else None
    for name in path:
        here = None if here is None else here[name]
    return here if isinstance(here, bytes) else None


__all__ = ["RECORD_TIME", "Row", "Sampler", "Table", "at_path", "who_path"]
