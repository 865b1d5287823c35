"""Changes everything in an event that one view does not say, and nothing that it says.

A third telling of what the actions mean, from the side of what they hide. Used by the property of noninterference.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from random import Random
from typing import Any

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
    Scalar,
    Truncate,
    Within,
)  # fmt: skip
from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.model import View
from pipelines.contract.path import Step
from tests.support.random_data import UNIT, random_datum

# What a view does at a path, and the steps that still lead there. A Step without a field stands for an item or value.
Use = tuple[tuple[Step, ...], Action]
INSIDE = ""


def disturb(rng: Random, view: View, record: Record, datum: Any) -> Any:
    uses: list[Use] = []
    for rule in view.rules:
        steps: list[Step] = []
        for step in rule.path.steps:
            steps += [Step(step.field), Step(INSIDE, step.items, step.key)] if step.items or step.key else [step]
        uses.append((tuple(steps), rule.action))
    return _changed(rng, record, datum, uses)


def _changed(rng: Random, avro_type: AvroType, datum: Any, uses: Sequence[Use]) -> Any:
    here = [action for steps, action in uses if not steps]
    below = [use for use in uses if use[0]]
    if not uses:
        return random_datum(rng, avro_type)
    match avro_type:
        case Nullable(inner=inner):
            return None if datum is None else _changed(rng, inner, datum, uses)
        case Record(fields=fields):
            return {f.name: _changed(rng, f.type, datum[f.name], _after(below, f.name)) for f in fields}
        case Array(items=items):
            return _changed_array(rng, items, datum, here, below)
        case Map(values=values):
            return _changed_map(rng, values, datum, here, below)
        case _:
            for _ in range(4):
                other = random_datum(rng, avro_type)
                if all(_said(action, avro_type, datum) == _said(action, avro_type, other) for action in here):
                    return other
            return datum


def _after(uses: Sequence[Use], field: str) -> list[Use]:
    return [(steps[1:], action) for steps, action in uses if steps[0].field == field]


def _changed_array(rng: Random, items: AvroType, datum: list[Any], here: list[Action], below: list[Use]) -> list[Any]:
    inner = [(steps[1:], action) for steps, action in below]
    inner += [((Step(action.field),), action) for action in here if isinstance(action, CountWhere)]
    count = len(datum)
    if not inner and Count in map(type, here):
        count = {3: rng.choice((2, 3)), 5: rng.choice((4, 5))}.get(count, count)
        return [random_datum(rng, items) for _ in range(count)]
    if not inner:
        return [random_datum(rng, items) for _ in range(rng.randrange(4))]
    return [_changed(rng, items, item, inner) for item in datum]


def _changed_map(
    rng: Random, values: AvroType, datum: list[tuple[bytes, Any]], here: list[Action], below: list[Use]
) -> list[tuple[bytes, Any]]:
    named = {(steps[0].key or "").encode() for steps, _ in below}
    entries, spare = [], 0
    for key, value in datum:
        uses = [(steps[1:], action) for steps, action in below if (steps[0].key or "").encode() == key.lower()]
        if uses:
            entries.append((rng.choice((key.lower(), key.upper())), _changed(rng, values, value, uses)))
        else:
            spare += 1
    if not any(isinstance(action, Count) for action in here):
        spare = rng.randrange(3)
    others = [b"n%d" % number for number in range(spare) if b"n%d" % number not in named]
    entries += [(key, random_datum(rng, values)) for key in others]
    rng.shuffle(entries)
    return entries


def _said(action: Action, avro_type: AvroType, datum: Any) -> Any:
    """What the action lets be seen of a leaf that is there."""
    number = _number(avro_type, datum)
    word = _word(avro_type, datum)
    match action:
        case Present():
            return True
        case Keep() | Handle():
            return datum
        case Within(low, high):
            return datum if low <= datum <= high else None
        case Bucket(read=str()) | Truncate(read=str()):
            return datum  # what a text says under a reading rule is another test's matter
        case Bucket(edges):
            return sum(edge <= number for edge in edges)
        case Truncate(step_ms):
            assert isinstance(avro_type, Primitive)
            return datum if avro_type.logical == "date" else datum // UNIT[avro_type.logical or ""] // step_ms
        case OneOf(values, otherwise):
            return word if word in values else otherwise
        case Matches(strings=strings):
            return word if word in strings else None
        case MapTo(pairs, otherwise):
            return dict(pairs).get(word, otherwise)
        case CountWhere(_, values):
            return word in values
        case Count():
            raise AssertionError("no leaf is counted")


def _word(avro_type: AvroType, datum: Any) -> Scalar:
    if isinstance(avro_type, Enum):
        return avro_type.symbols[int(datum)]
    if isinstance(datum, bytes):
        return datum.decode("utf-8", "replace")
    assert isinstance(datum, int)
    return datum


def _number(avro_type: AvroType, datum: Any) -> float:
    """A number to compare with edges; what is not a number is above none."""
    scale = 1
    if isinstance(avro_type, Primitive) and avro_type.name in ("float", "double"):
        real: float = struct.unpack("<" + avro_type.name[0], datum)[0]
        return -math.inf if math.isnan(real) else real
    if isinstance(avro_type, Fixed | Primitive):
        scale = 10**avro_type.scale
    if isinstance(datum, bytes):
        whole = int.from_bytes(datum, "big", signed=True)
        return whole // scale
    return float("nan") if isinstance(datum, bool) else datum
