"""Meaning: what a field of a minimized record says, in which unit, which values it can have and what null stands for.

Everything is derived from the raw field's place and type and from the action; a raw schema's own words are not used,
since a consumer is told nothing that the policy does not say.
"""

from __future__ import annotations

from typing import Final, assert_never

from pipelines.contract.actions import (
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    Number,
    OneOf,
    Present,
    Truncate,
    Within,
)
from pipelines.contract.avro import Array, AvroType, Enum, Map, Nullable, Primitive, Record, not_null
from pipelines.contract.bits.values import COARSE
from pipelines.contract.model import IdentifierKind, OutputArray, OutputField, RawSchema, Rule
from pipelines.contract.path import Path
from pipelines.explain.catalog.page import Cell, Code, Inline, Line, cell, joined, line
from pipelines.explain.wording import duration

NEVER: Final = "never"
_NO_UNIT: Final = ""
_SHOWN: Final = 32
_KIB: Final = 1024
# The words that names of quantities end in (or begin with), and what they are called in full.
_UNITS: Final = {
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "sec": "seconds",
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "bytes": "bytes",
    "kib": "KiB",
    "mib": "MiB",
    "percent": "percent",
    "m": "metres",
}
_TIMES: Final = {
    "date": "days since 1970-01-01",
    "timestamp-millis": "milliseconds since 1970, UTC",
    "timestamp-micros": "microseconds since 1970, UTC",
    "timestamp-nanos": "nanoseconds since 1970, UTC",
}


def meaning(field: OutputField, kind: IdentifierKind | None) -> Line:
    """What a value of the field says."""
    action, raw = field.rule.action, Code(str(field.rule.path))
    match action:
        case Keep() | Within() | Matches():
            return line(raw, " as it was sent")
        case Bucket():
            return line("lower edge of the range that ", raw, " falls into", _in(unit(field)))
        case Truncate(step_ms):
            return line(raw, f" rounded down to {duration(step_ms)} (UTC)")
        case OneOf(_, otherwise):
            rest: tuple[Inline, ...] = (
                () if otherwise is None else ("; ", Code(otherwise), " stands for every other word")
            )
            return line(raw, " as it was sent", *rest)
        case MapTo(_, otherwise):
            rest = () if otherwise is None else ("; ", Code(otherwise), " stands for every other value")
            return line("a word for ", raw, *rest)
        case Count():
            return line("how many there are in ", raw, ", rounded down")
        case CountWhere(name, values):
            wanted = [Code(_spelled(value)) for value in values]
            return line("how many in ", raw, " have ", Code(name), " = ", *joined([*wanted], " or "), ", rounded down")
        case Present():
            return line("whether ", raw, " was there")
        case Handle():
            return line(f"handle of the {kind or 'identifier'}; see “The handle”")
    assert_never(action)


def unit(field: OutputField) -> str:
    """The unit, as the type or the raw field's name says it; a dash if neither does."""
    action, written = field.rule.action, not_null(field.type)
    if isinstance(action, Count | CountWhere):
        return "how many"
    if isinstance(written, Primitive) and written.logical in _TIMES:
        return _TIMES[written.logical]
    if isinstance(action, Bucket | Within):
        words = field.rule.path.steps[-1].field.lower().split("_")
        return next((_UNITS[word] for word in (words[-1], words[0]) if word in _UNITS), _NO_UNIT)
    return _NO_UNIT


def possible(field: OutputField, max_items: int | None) -> Cell:
    """The values that there can be, null apart."""
    action = field.rule.action
    match action:
        case Keep():
            written = not_null(field.type)
            return (_codes(written.symbols if isinstance(written, Enum) else ("true", "false")),)
        case Present():
            return (_codes(("true", "false")),)
        case Within(low, high):
            return cell(Code(str(low)), " to ", Code(str(high)))
        case Bucket(edges):
            return (_codes(edges), *_in_words(edges, unit(field)), line("the last one: that or more"))
        case Truncate(step_ms, within_ms):
            far = "" if within_ms is None else f", at most {duration(within_ms)} from arrival"
            return cell(f"each multiple of {duration(step_ms)} since 1970{far}")
        case OneOf(values, otherwise, name):
            of: tuple[Line, ...] = () if name is None else (line("the list ", Code(name)),)
            return (_codes(values if otherwise is None else tuple(dict.fromkeys((*values, otherwise)))), *of)
        case Matches(pattern, _, strings):
            return (line("what ", Code(pattern), " matches"), line(f"{len(strings):,} texts"))
        case MapTo(pairs, otherwise):
            return _words(action) if pairs else cell(Code(otherwise or ""))
        case Count() | CountWhere():
            return (_codes(tuple(step for step in COARSE if max_items is None or step <= max_items)),)
        case Handle():
            return cell("16 bytes")
    assert_never(action)


def type_words(avro_type: AvroType) -> str:
    """An output's Avro type, null apart."""
    match not_null(avro_type):
        case Primitive(name, None):
            return name
        case Primitive(name, logical):
            return f"{name} ({logical})"
        case Enum():
            return "enum"
        case _:
            return "fixed(16)"


def null_means(versions: tuple[RawSchema, ...], output: OutputField | OutputArray) -> Cell:
    """When the output is null, by its raw field's place in each version of the raw schema."""
    if isinstance(output, OutputArray):
        return _nulls(versions, output.source, inside=False) if output.nullable else cell(NEVER)
    if isinstance(output.type, Nullable):
        nulls = _nulls(versions, output.rule.path, inside=any(step.items for step in output.rule.path.steps))
        return _with_far(output.rule, nulls)
    return cell(NEVER)


def _with_far(rule: Rule, nulls: Cell) -> Cell:
    """The reasons, and that a limited time lay too far away."""
    action = rule.action
    if not isinstance(action, Truncate) or action.within_ms is None:
        return nulls
    step = duration(action.step_ms)
    far = line(
        Code(str(rule.path)), f" was more than {duration(action.within_ms)} from arrival, both rounded to {step}"
    )
    return (far,) if nulls == cell(NEVER) else (*nulls, far)


def _nulls(versions: tuple[RawSchema, ...], path: Path, *, inside: bool) -> Cell:
    """The reasons; `inside`: only those that lie within an item, not those for which there is no array at all."""
    told: dict[Line, None] = {}
    lacking = []
    for schema in versions:
        reasons, there = _of_version(schema.record, path, inside=inside)
        told |= dict.fromkeys(reasons)
        lacking += [] if there else [str(schema.version)]
    if lacking:
        told[line(f"raw version {' and '.join(lacking)} has no such field")] = None
    return tuple(told) or cell(NEVER)


def _of_version(record: Record, path: Path, *, inside: bool) -> tuple[list[Line], bool]:
    """The reasons in one version, and whether it has the field."""
    reasons: list[Line] = []
    at: AvroType = record
    counts, spelled = not inside, ""
    for step in path.steps:
        inner = not_null(at)
        field = inner.field(step.field) if isinstance(inner, Record) else None
        if field is None:
            return reasons, not counts  # no array at all is the array's matter
        spelled = f"{spelled}.{step.field}" if spelled else step.field
        at = field.type
        if isinstance(at, Nullable) and counts:
            reasons.append(line(Code(spelled), " was null"))
        kind = not_null(at)
        if step.items and isinstance(kind, Array):
            at, counts, spelled = kind.items, inside, f"{spelled}[]"
        elif step.key is not None and isinstance(kind, Map):
            at, spelled = kind.values, f'{spelled}{{"{step.key}"}}'
            if counts:
                reasons.append(line("there was no ", Code(spelled)))
        else:
            continue
        if isinstance(at, Nullable) and counts:
            reasons.append(line(Code(spelled), " was null"))
    return reasons, True


def _words(action: MapTo) -> Cell:
    """Each word with the values that it stands for."""
    given: dict[str, list[Inline]] = {}
    for value, text in action.pairs:
        given.setdefault(text, []).append(Code(_spelled(value)))
    told = [line(Code(text), " for ", *joined(values)) for text, values in given.items()]
    if action.otherwise is not None and action.otherwise not in given:
        told.append(line(Code(action.otherwise)))
    return tuple(told)


def _codes(values: tuple[object, ...]) -> Line:
    shown = joined([Code(str(value)) for value in values[:_SHOWN]])
    return shown if len(values) <= _SHOWN else (*shown, f" … ({len(values)} in all)")


def _in_words(edges: tuple[Number, ...], unit_: str) -> tuple[Line, ...]:
    """Edges as people say them, where there are units for it; fractions stay as they are."""
    if any(isinstance(edge, float) for edge in edges):
        return ()
    return _whole_in_words(tuple(map(int, edges)), unit_)


def _whole_in_words(edges: tuple[int, ...], unit_: str) -> tuple[Line, ...]:
    if unit_ == "milliseconds":
        return (line(f"that is {', '.join(duration(edge) if edge else '0' for edge in edges)}"),)
    if unit_ == "bytes" and edges[-1] >= _KIB:
        return (line(f"that is {', '.join(_size(edge) for edge in edges)}"),)
    return ()


def _size(count: int) -> str:
    for power, name in reversed(tuple(enumerate(("KiB", "MiB", "GiB", "TiB"), start=1))):
        if count and count % _KIB**power == 0:
            return f"{count // _KIB**power} {name}"
    return str(count)


def _in(words: str) -> str:
    return "" if words == _NO_UNIT else f", in {words}"


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
