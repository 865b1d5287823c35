"""The reference: what minimizing means, said as plainly as possible. Slow; for tests and for checking the walk.

    bytes -> fastavro -> dict -> actions -> dict -> fastavro -> bytes

It shares no code with the walk, and never sees what the walk rejects as malformed: fastavro forgives too much (and on
hostile input takes all memory). Strings are read as bytes and maps as arrays of (key, value) records: the wire form is
the same, bad text in a dropped field does no harm, and neither the order nor a repeated key is lost.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

import fastavro
import re2

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
from pipelines.contract.avro import Array, AvroType, Fixed, Map, Primitive, Record, not_null
from pipelines.contract.model import Event, OutputArray, OutputField, View
from pipelines.contract.path import Path, Step
from pipelines.minimize.faults import Fault
from pipelines.minimize.program import Handler, Minimized
from pipelines.minimize.reference_schema import reader_schema, writer_schema

_UNITS_PER_DAY: Final = {
    "date": 1,
    "timestamp-millis": 86_400_000,
    "timestamp-micros": 86_400_000_000,
    "timestamp-nanos": 86_400_000_000_000,
}
_YEAR_1: Final = -719_162  # days since 1970
_YEAR_10000: Final = 2_932_897
_MS_PER_DAY: Final = 86_400_000


class _OutOfBound(Exception):  # noqa: N818 - a value's fate, told as a Fault
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Found:
    """A value, its type, the broker's time, and what the raw schema says of the array or map that the value is."""

    value: Any
    type: AvroType
    broker_ms: int
    max_items: int | None = None


def minimize_event(
    event: Event, value: bytes, handlers: Sequence[Handler | None], broker_ms: int
) -> list[Minimized | Fault | None]:
    """Minimize an event that is known to be well-formed, as `EventProgram.minimize` does.

    A view with several bound faults names any one of them; `bound_faults` names all.
    """
    results: list[Minimized | Fault | None] = []
    root = _root(event, value, broker_ms)
    for view, handler in zip(event.views, handlers, strict=True):
        if handler is None:
            results.append(None)
            continue
        reduced, key, faults = _reduce(root, view, handler)
        results.append(faults[0] if faults else Minimized(_encode(view, reduced), key))
    return results


def bound_faults(event: Event, view: View, value: bytes) -> list[Fault]:
    """Everything for which a view would refuse an event; the broker's time makes no difference to it."""
    return _reduce(_root(event, value, 0), view, lambda identifier: identifier[:16])[2]


def decode(event: Event, value: bytes) -> dict[str, Any]:
    """A well-formed event's fields: strings as bytes, maps as lists of {key, value}, logical types as their numbers."""
    datum: dict[str, Any] = _root(event, value, 0).value
    return datum


def _root(event: Event, value: bytes, broker_ms: int) -> _Found:
    version = next(version for version in event.versions if version.fingerprint == value[2:10])
    datum = fastavro.schemaless_reader(io.BytesIO(value[10:]), reader_schema(version.text), None)
    return _Found(datum, version.record, broker_ms)


def _reduce(root: _Found, view: View, handler: Handler) -> tuple[dict[str, Any], bytes | None, list[Fault]]:
    faults: list[Fault] = []
    keys: list[bytes] = []

    def make_key(identifier: bytes) -> bytes:
        keys.append(handler(identifier))
        return keys[-1]

    reduced = {output.name: _output(root, output, faults, make_key) for output in view.output}
    for guard in view.guards:  # what the view without an overlay would refuse
        _output(root, guard, faults, lambda identifier: identifier[:16])
    return reduced, keys[0] if keys and not faults else None, faults


def _output(root: _Found, output: OutputField | OutputArray, faults: list[Fault], handler: Handler) -> Any:
    if isinstance(output, OutputArray):
        return _array(root, output, faults, handler)
    return _field(root, output, output.rule.path.steps, faults, handler)


def _encode(view: View, reduced: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, writer_schema(view.schema), reduced)
    return b"\xc3\x01" + view.fingerprint + out.getvalue()


def _array(root: _Found, output: OutputArray, faults: list[Fault], handler: Handler) -> list[dict[str, Any]] | None:
    steps = output.source.steps
    array = _find(root, (*steps[:-1], Step(steps[-1].field)))
    if array is None:
        return None
    if len(array.value) > output.max_items:
        faults.append(Fault("too_many_items", _spelled(Path(steps))[: -len("[]")]))
    kind = not_null(array.type)
    assert isinstance(kind, Array)  # noqa: S101 - a path with [] goes into an array
    items = []
    for item in array.value:
        found = _Found(item, kind.items, root.broker_ms)
        items.append(
            {
                field.name: _field(found, field, field.rule.path.steps[len(steps) :], faults, handler)
                for field in output.fields
            }
        )
    return items


def _field(found: _Found, field: OutputField, steps: Sequence[Step], faults: list[Fault], handler: Handler) -> Any:
    there = _find(found, steps)
    action = field.rule.action
    if isinstance(action, Present):
        return there is not None
    if there is None:
        return None
    try:
        return _act(action, there, handler)
    except _OutOfBound as out_of_bound:
        faults.append(Fault(out_of_bound.code, _spelled(field.rule.path)))
        return None


def _find(found: _Found, steps: Sequence[Step]) -> _Found | None:
    """What a path leads to; None where there is null, no such key, or no such field in this version."""
    for step in steps:
        if found.value is None:
            return None
        record = not_null(found.type)
        assert isinstance(record, Record)  # noqa: S101 - a step starts at a record
        field = record.field(step.field)
        if field is None:
            return None
        found = _Found(found.value[step.field], field.type, found.broker_ms, field.max_items)
        if step.key is not None:
            if found.value is None:
                return None
            kind = not_null(found.type)
            assert isinstance(kind, Map)  # noqa: S101 - a path with {} goes into a map
            values = [entry["value"] for entry in found.value if entry["key"].lower() == step.key.encode()]
            if not values:
                return None
            found = _Found(values[0], kind.values, found.broker_ms)
    return None if found.value is None else found


def _act(action: Action, found: _Found, handler: Handler) -> Any:  # noqa: C901, PLR0912 - one return an action
    value, kind = found.value, not_null(found.type)
    compared = isinstance(action, OneOf | Matches | MapTo) and isinstance(value, bytes)
    text = value.decode() if compared else value
    if isinstance(action, Bucket | Truncate) and action.read is not None:
        return _read(action, action.read, value.decode() if isinstance(value, bytes) else value, found.broker_ms)
    match action:
        case Keep():
            return value
        case Within(low=low, high=high):
            return _bounded(value if low <= value <= high else None, "out_of_range")
        case Bucket(edges=edges):
            number = value
            scale = 0
            if isinstance(value, bytes):
                number = int.from_bytes(value, "big", signed=True)
                assert isinstance(kind, Primitive | Fixed)  # noqa: S101 - bytes and fixed
                scale = kind.scale
            below = [edge for edge in edges if edge * 10**scale <= number]
            return _bounded(max(below, default=None), "out_of_range")
        case Truncate():
            assert isinstance(kind, Primitive)  # noqa: S101 - times are int or long
            return _truncated(action, value, _UNITS_PER_DAY[str(kind.logical)], found.broker_ms)
        case OneOf(values=values, otherwise=otherwise):
            return _bounded(text if text in values else otherwise, "not_listed")
        case Matches(pattern=pattern, max_length=most):
            accepted = len(text) <= most and re2.fullmatch(pattern, text)
            return _bounded(text if accepted else None, "not_listed")
        case MapTo(pairs=pairs, otherwise=otherwise):
            given = [result for key, result in pairs if key == text]
            return _bounded(given[0] if given else otherwise, "not_listed")
        case Count():
            if found.max_items is not None and len(value) > found.max_items:
                raise _OutOfBound("too_many_items")
            return _coarse(len(value))
        case CountWhere(field=name, values=values):
            if found.max_items is not None and len(value) > found.max_items:
                raise _OutOfBound("too_many_items")
            return _coarse(sum(_value_at(item, name) in values for item in _items(found)))
        case Handle():
            if not 1 <= len(value) <= 256:  # noqa: PLR2004 - the longest identifier
                raise _OutOfBound("identifier_size")
            return handler(value)
        case Present():
            return True


def _items(found: _Found) -> list[_Found]:
    kind = not_null(found.type)
    assert isinstance(kind, Array)  # noqa: S101 - count_where is for arrays
    return [_Found(item, kind.items, found.broker_ms) for item in found.value]


def _value_at(item: _Found, name: str) -> Any:
    there = _find(item, (Step(name),))
    if there is None:
        return None
    return there.value.decode() if isinstance(there.value, bytes) else there.value


def _bounded(value: Any, code: str) -> Any:
    if value is None:
        raise _OutOfBound(code)
    return value


def _truncated(action: Truncate, value: int, units_per_day: int, broker_ms: int) -> int | None:
    floored = _floored(value, action.step_ms, units_per_day)
    if action.within_ms is None:
        return floored
    apart_ms = Fraction(floored * _MS_PER_DAY, units_per_day) - (broker_ms - broker_ms % action.step_ms)
    return floored if abs(apart_ms) <= action.within_ms else None


def _read(action: Bucket | Truncate, rule: str, value: Any, broker_ms: int) -> Any:
    """What a view says of a text, or of a double of seconds, that it reads as a number or a time."""
    if isinstance(action, Truncate):
        moment = _moment(rule, value)
        return _truncated(action, math.floor(moment * 1000), _UNITS_PER_DAY["timestamp-millis"], broker_ms)
    number = float(_number(value)) if action.fractional else _number(value)
    return _bounded(max((edge for edge in action.edges if edge <= number), default=None), "out_of_range")


def _number(text: str) -> Fraction:
    """A decimal, exactly."""
    whole, point, rest = text.removeprefix("-").partition(".")
    digits = set(whole + rest) <= set("0123456789") and 1 <= len(whole) <= 18 and len(rest) <= 18  # noqa: PLR2004
    if not digits or (point and not rest) or (whole[0] == "0" and whole != "0"):
        raise _OutOfBound("unparsable")
    return Fraction(text)


def _moment(rule: str, value: str | float) -> Fraction:
    """A time in seconds since 1970."""
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= 10**12:
            raise _OutOfBound("unparsable")
        return Fraction(math.floor(Fraction(value) * 10**6 + Fraction(1, 2)), 10**6)
    return _number(value) if rule == "epoch_seconds" else _iso8601(value)


def _iso8601(text: str) -> Fraction:
    plain, zone = (text[:-1], "+00:00") if text.endswith("Z") else _zoned(text)
    second, point, rest = plain.partition(".")
    shape = "".join("0" if char in "0123456789" else char for char in second + zone)
    if shape != "0000-00-00T00:00:00" + zone[0] + "00:00" or (point and not 1 <= len(rest) <= 9):  # noqa: PLR2004
        raise _OutOfBound("unparsable")
    if not set(rest) <= set("0123456789"):
        raise _OutOfBound("unparsable")
    try:
        moment = datetime.strptime(second, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - the offset is taken off below
        away = datetime.strptime(zone[1:], "%H:%M")  # noqa: DTZ007 - hours and minutes
    except ValueError:
        raise _OutOfBound("unparsable") from None
    if second.endswith(("60", "61")):  # strptime takes leap seconds
        raise _OutOfBound("unparsable")
    passed = moment - datetime(1970, 1, 1)  # noqa: DTZ001 - in the zone of the text
    seconds = passed.days * 86_400 + passed.seconds
    offset = (away.hour * 60 + away.minute) * 60 * (-1 if zone[0] == "-" else 1)
    return seconds - offset + Fraction("0." + (rest or "0"))


def _zoned(text: str) -> tuple[str, str]:
    """A text without its offset, and the offset with a colon."""
    size = len("+00:00") if text[-3:-2] == ":" else len("+0000")
    plain, zone = text[:-size], text[-size:]
    if zone[:1] not in ("+", "-"):
        raise _OutOfBound("unparsable")
    return plain, zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"


def _floored(value: int, step_ms: int, units_per_day: int) -> int:
    step = step_ms * units_per_day // _MS_PER_DAY
    floored = value - value % step
    first_whole_day = max(_YEAR_1, math.ceil(Fraction(-(2**63), units_per_day)))
    if floored < first_whole_day * units_per_day or value >= _YEAR_10000 * units_per_day:
        raise _OutOfBound("out_of_range")
    return floored


def _coarse(count: int) -> int:
    return max(step for step in (0, 1, 2, 4, 8, 16, 32, 64) if step <= count)


def _spelled(path: Path) -> str:
    """A path as the schema spells it: a map's key is not told."""
    return ".".join(step.field + ("[]" if step.items else "" if step.key is None else "{}") for step in path.steps)
