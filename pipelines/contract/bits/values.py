"""Values: the set of what one action can write for one raw type, as it is, without null.

A limited time can write null for a value that is there, too: whoever counts, adds it.

Every set is exact for what the walk accepts, but for one case: a bucket of floating-point numbers so far from zero that
no such number lies in it is counted all the same.
"""

from __future__ import annotations

from math import lcm
from typing import Any, Final

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
from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Primitive, Record, not_null
from pipelines.contract.model import DAY_MS

Values = frozenset[Any] | range

COARSE: Final = (0, 1, 2, 4, 8, 16, 32, 64)
_FIRST_DAY: Final = -719_162  # 0001-01-01, in days since 1970: no time before it is accepted …
_AFTER_LAST_DAY: Final = 2_932_897  # … nor any from 10000-01-01 on
_UNITS_PER_DAY: Final = {
    "date": 1,
    "timestamp-millis": DAY_MS,
    "timestamp-micros": DAY_MS * 1_000,
    "timestamp-nanos": DAY_MS * 1_000_000,
}


def values(action: Action, avro_type: AvroType, max_items: int | None) -> Values:
    """All that an action can write for a value of this type that is there; of a limited time, at one broker time."""
    match action:
        case Present():
            return frozenset((True,))
        case Handle():
            return frozenset(("handle",))
        case Keep():
            return frozenset(avro_type.symbols if isinstance(avro_type, Enum) else (False, True))
        case Within(low, high):
            least, most = limits(avro_type)
            return range(max(low, least), min(high, most) + 1)
        case Bucket(edges):
            least, most = limits(avro_type)
            return frozenset(
                low
                for low, following in zip(edges, (*edges[1:], None), strict=True)
                if low <= most and (following is None or following > least)
            )
        case Truncate(step_ms, within_ms):
            return _times(avro_type, step_ms) if within_ms is None else _near(within_ms // step_ms)
        case OneOf(texts, otherwise):
            return frozenset(texts if otherwise is None else (*texts, otherwise))
        case Matches():
            return frozenset(action.strings)
        case MapTo():
            return _mapped(action, avro_type)
        case Count():
            return coarse_up_to(max_items)
        case CountWhere():
            return coarse_up_to(max_items if can_match(action, avro_type) else 0)


def common(sets: list[Values]) -> int:
    """How many values are in every one of the sets; of a range each is a multiple of its step, or the step is 1."""
    first, *rest = sets
    if all(one == first for one in rest):
        return len(first)
    ranges = [one for one in sets if isinstance(one, range)]
    if len(ranges) == len(sets):
        step = lcm(*(one.step for one in ranges))
        low, high = max(one.start for one in ranges), min(one.stop for one in ranges) - 1
        return max(high // step - (low - 1) // step, 0)
    smallest = min(sets, key=len)
    return sum(all(value in one for one in sets) for value in smallest)


def coarse_up_to(most: int | None) -> frozenset[int]:
    """What counts up to `most` are floored to; None is any number."""
    return frozenset(step for step in COARSE if most is None or step <= most)


def can_match(action: CountWhere, array: AvroType) -> bool:
    """Whether an item of the array can be one that counts."""
    item = not_null(array.items) if isinstance(array, Array) else None
    field = item.field(action.field) if isinstance(item, Record) else None
    return field is not None and any(_has(not_null(field.type), value) for value in action.values)


def _has(avro_type: AvroType, value: Scalar) -> bool:
    match avro_type:
        case Enum(symbols=symbols):
            return value in symbols
        case Primitive(name="int" | "long"):
            least, most = limits(avro_type)
            return isinstance(value, int) and least <= value <= most
        case Primitive(name="boolean"):
            return isinstance(value, bool)
        case _:
            return isinstance(value, str)


def _mapped(action: MapTo, avro_type: AvroType) -> frozenset[str]:
    said = {text for value, text in action.pairs if _has(avro_type, value)}
    known = {value for value, _ in action.pairs}
    match avro_type:
        case Enum(symbols=symbols):
            all_mapped = known >= set(symbols)
        case Primitive(name="boolean"):
            all_mapped = known >= {False, True}
        case _:
            all_mapped = False
    return frozenset(said if action.otherwise is None or all_mapped else said | {action.otherwise})


def _near(steps: int) -> range:
    """The times of a limited time, in steps from the broker's."""
    return range(-steps, steps + 1)


def _times(avro_type: AvroType, step_ms: int) -> range:
    logical = avro_type.logical if isinstance(avro_type, Primitive) else None
    units = _UNITS_PER_DAY[logical or "timestamp-millis"]
    if step_ms * units < DAY_MS:  # a date in steps finer than the days it holds, as `linkage.epochs` counts a clock
        return _times(Primitive("long", "timestamp-millis"), step_ms)
    step = step_ms * units // DAY_MS
    least, most = limits(avro_type)
    low, high = max(_FIRST_DAY, -(-least // units)) * units, min(_AFTER_LAST_DAY * units - 1, most)
    return range(-(-low // step) * step, high + 1, step)


def limits(avro_type: AvroType) -> tuple[int, int]:
    """The least and the greatest whole number that a type can hold, as an action sees it."""
    match avro_type:
        case Primitive(name="int"):
            return -(1 << 31), (1 << 31) - 1
        case Fixed(_, size, "decimal", scale):
            most = (1 << 8 * size - 1) - 1
            return (-most - 1) // 10**scale, most // 10**scale
        case Primitive(name="long"):
            return -(1 << 63), (1 << 63) - 1
        case _:
            return -(1 << 2_048), 1 << 2_048  # a float, or a decimal of any length
