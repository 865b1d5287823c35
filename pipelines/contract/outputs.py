"""Outputs: what a view's rules write, by name, in which order, and where null is possible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    MapTo,
    Matches,
    OneOf,
    Present,
    Truncate,
    is_limited,
)
from pipelines.contract.avro import AvroType, Enum, Fixed, Nullable, Primitive
from pipelines.contract.derived import Naming
from pipelines.contract.findings import Position
from pipelines.contract.model import OutputArray, OutputField, RawSchema, Rule
from pipelines.contract.path import Path, Step
from pipelines.contract.reach import Order, Reach, reach, to_array
from pipelines.contract.report import Report

HANDLE_BYTES: Final = 16
AVRO_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9]", re.ASCII)

Line = tuple[Rule, Reach, AvroType]
_Key = tuple[bool, Order, bool, str]


def plain_name(path: Path) -> str:
    """The output name of a rule without `as`: the path's steps joined with `_`; of an item, from `[]` on."""
    steps = path.steps
    for at, step in enumerate(path.steps):
        if step.items:
            steps = path.steps[at + 1 :]
    return _joined(steps) or "value"


def outputs(
    naming: Naming, lines: Sequence[Line], versions: tuple[RawSchema, ...], report: Report
) -> tuple[OutputField | OutputArray, ...]:
    """The outputs of a view in wire order: as the newest raw schema's fields stand, those of older ones last."""
    ordered = sorted(lines, key=lambda line: (line[1].order, str(line[0].path)))
    arrays: dict[Path, list[Line]] = {}
    keyed: list[tuple[_Key, OutputField | OutputArray, Position]] = []
    for rule, found, avro_type in ordered:
        array = to_array(rule.path)
        if array is not None:
            arrays.setdefault(array, []).append((rule, found, avro_type))
            continue
        written = _written(rule.action, avro_type, naming.inside(rule.name))
        field = OutputField(rule.name, _maybe_null(written, rule.action, null=found.nullable), rule)
        keyed.append(((*found.order, False, str(rule.path)), field, rule.position))
    for array, inside in arrays.items():
        prefix = reach(versions, array)
        if isinstance(prefix, Reach):
            made = _array(naming, array, prefix, inside, report)
            keyed.append(((*prefix.order, True, str(array)), made, inside[0][0].position))
    keyed.sort(key=lambda entry: entry[0])
    _no_clash([(output.name, position) for _, output, position in keyed], report)
    return tuple(output for _, output, _ in keyed)


def _array(naming: Naming, array: Path, prefix: Reach, inside: list[Line], report: Report) -> OutputArray:
    name = _joined(array.steps)
    fields = []
    for rule, found, avro_type in inside:
        # An item's field can be null where the raw one can be, or where a version has the array but not the field.
        null = any(reached.inner for reached in found.found) or len(found.found) < len(prefix.found)
        written = _written(rule.action, avro_type, naming.inside(name, rule.name))
        fields.append(OutputField(rule.name, _maybe_null(written, rule.action, null=null), rule))
    _no_clash([(field.name, field.rule.position) for field in fields], report)
    return OutputArray(
        name=name,
        source=Path((*array.steps[:-1], Step(array.steps[-1].field, items=True))),
        nullable=prefix.nullable,
        max_items=prefix.found[0].field.max_items or 0,
        item_name=naming.inside(name),
        fields=tuple(fields),
    )


def _written(action: Action, avro_type: AvroType, name: str) -> AvroType:
    """The type that an action writes, before null."""
    match action:
        case Bucket() if action.fractional:
            return Primitive("double") if action.read is not None else avro_type
        case Bucket():
            return Primitive("long")
        case Truncate() if action.read is not None:
            return Primitive("long", "timestamp-millis")
        case OneOf() | Matches() | MapTo():
            return Primitive("string")
        case Count() | CountWhere():
            return Primitive("int")
        case Present():
            return Primitive("boolean")
        case Handle():
            return Fixed(name, HANDLE_BYTES)
        case _:  # keep, within and truncate write what they read
            return Enum(name, avro_type.symbols) if isinstance(avro_type, Enum) else avro_type


def _maybe_null(avro_type: AvroType, action: Action, *, null: bool) -> AvroType:
    null = (null and not isinstance(action, Present)) or is_limited(action)
    return Nullable(avro_type) if null else avro_type


def _no_clash(names: list[tuple[str, Position]], report: Report) -> None:
    first: dict[str, Position] = {}
    for name, position in names:
        if name in first:
            what = f"Two outputs are called '{name}' (the other on line {first[name].line})."
            report.add("name-clash", position, what, "Name one of them: {do: …, as: NAME}.")
        first.setdefault(name, position)


def _joined(steps: tuple[Step, ...]) -> str:
    names = []
    for step in steps:
        names.append(step.field)
        if step.key is not None:
            names.append(_NOT_IN_A_NAME.sub("_", step.key))
    return "_".join(names)
