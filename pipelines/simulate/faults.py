"""Faults on purpose: values that a view must refuse, and bytes that are not what the schema says.

A bound fault is put into the fields of an otherwise valid event; what it puts there is a canary where text fits. A
structural fault needs bytes, so the event is encoded here and spoilt in a way that no reader can mistake for valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any, Final

import fastavro
import orjson

from pipelines.contract.actions import Action, Bucket, Handle, MapTo, Matches, OneOf, Truncate, Within
from pipelines.contract.model import Event, OutputArray, RawSchema
from pipelines.contract.path import Path
from pipelines.simulate.draw import Draw

Fields = dict[str, object]
_FAR_FUTURE: Final = 2**60
_LONGEST_HANDLED: Final = 256


@dataclass(frozen=True, slots=True)
class TooMany:
    """More items than the `most` that an array's views accept."""

    most: int


Offence = Action | TooMany


def bound_spoilers(event: Event) -> list[tuple[Path, Offence]]:
    """Where the event's views can be offended, and how."""
    rules = [
        (rule.path, rule.action)
        for view in event.views
        for rule in view.rules
        if isinstance(rule.action, Within | Bucket | Matches | Handle | Truncate)
        or (isinstance(rule.action, OneOf | MapTo) and rule.action.otherwise is None)
    ]
    arrays = [output for view in event.views for output in view.output if isinstance(output, OutputArray)]
    return [*rules, *((array.source, TooMany(array.max_items)) for array in arrays)]


def spoil_bound(fields: Fields, path: Path, offence: Offence, draw: Draw) -> bool:
    """Put a value out of bounds at `path`; False when the event has nothing there, or nothing of a kind that can be."""
    holder: object = fields
    for step in path.steps[:-1]:
        holder = _entry(holder, step.field, step.key)
        if step.items:
            holder = holder[0] if isinstance(holder, list) and holder else None
    last = path.steps[-1]
    if last.key is not None:
        holder = _entry(holder, last.field, None)
        name = _spelled(holder, last.key)
    else:
        name = last.field
    if not isinstance(holder, dict) or holder.get(name) is None:
        return False
    worse = _worse(holder[name], offence, draw)
    if worse is None:
        return False
    holder[name] = worse
    return True


def _entry(holder: object, field: str, key: str | None) -> object:
    found = holder.get(field) if isinstance(holder, Mapping) else None
    if key is None:
        return found
    return found.get(_spelled(found, key)) if isinstance(found, Mapping) else None


def _spelled(mapping: object, key: str) -> str:
    return next((name for name in mapping if name.lower() == key), key) if isinstance(mapping, Mapping) else key


def _worse(value: object, offence: Offence, draw: Draw) -> object:
    match value, offence:
        case (list(), TooMany(most)) if value:
            return (value * (most // len(value) + 1))[: most + 1]
        case (list(), _):
            return None
        case (bool(), _):
            return None
        case (int(), Within(low, high)):
            return high + 1 if draw.random() < 0.5 else low - 1
        case (int(), Bucket(edges)):
            return edges[0] - 1
        case (float(), Bucket() | Truncate()):
            return float("nan")
        case (int(), Truncate()) if abs(value) > 2**31:
            return _FAR_FUTURE
        case (str(), OneOf() | Matches() | Bucket() | Truncate()):
            return f"synthetic {draw.canary()} word"
        case (str(), Handle()):
            return "" if draw.random() < 0.5 else "~" * (_LONGEST_HANDLED + 1)
        case _:
            return None


def _cut(value: bytes, rng: Random) -> bytes:
    return value[: -rng.randint(1, 3)]


def _lengthen(value: bytes, rng: Random) -> bytes:
    return value + rng.randbytes(rng.randint(1, 3))


def _unknown_schema(value: bytes, _: Random) -> bytes:
    return value[:2] + bytes(byte ^ 0x55 for byte in value[2:10]) + value[10:]


def _no_framing(value: bytes, _: Random) -> bytes:
    return b"{}" + value[2:]


_SPOILERS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (_cut, _lengthen, _unknown_schema, _no_framing)


class Encoder:
    """Avro single-object encoding of one raw schema (fastavro)."""

    def __init__(self, schema: RawSchema) -> None:
        self._parsed: Any = fastavro.parse_schema(orjson.loads(schema.text))
        self._header = b"\xc3\x01" + schema.fingerprint

    def __call__(self, fields: Mapping[str, object]) -> bytes:
        """The bytes of one event."""
        buffer = BytesIO()
        buffer.write(self._header)
        fastavro.schemaless_writer(buffer, self._parsed, fields)
        return buffer.getvalue()


def spoil_bytes(value: bytes, rng: Random) -> bytes:
    """Bytes that are no event any more, made from an event's: cut, lengthened, of an unknown schema, or unframed."""
    return _SPOILERS[int(rng.random() * len(_SPOILERS))](value, rng)
