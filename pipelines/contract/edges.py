"""Edges of buckets: numbers, with units where nobody can mistake them.

An edge of a float or double field may have a fraction. It is then the number of the field's type that is nearest to
what is written, as a producer's value is that is written alike: 0.7 as a float lies below 0.7 as a double.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from pipelines.contract.actions import Number
from pipelines.contract.avro import AvroType, Primitive
from pipelines.contract.floats import nearest
from pipelines.contract.node import Node
from pipelines.contract.purposes import short_text
from pipelines.contract.report import Report, shown
from pipelines.contract.section import DURATION_MS

_EDGE: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?)(KiB|MiB|GiB|Ki|Mi|Gi|ms|s|m|h|d)?", re.ASCII)
_BINARY: Final = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# What one of a field's units is in nanoseconds, told by the last word of its name.
_UNIT_NS: Final = {
    **dict.fromkeys(("ns", "nanos", "nanoseconds"), 1),
    **dict.fromkeys(("us", "micros", "microseconds"), 1_000),
    **dict.fromkeys(("ms", "millis", "milliseconds"), 1_000_000),
    **dict.fromkeys(("s", "secs", "seconds"), 1_000_000_000),
}


def edge(node: Node, field: str, reach: tuple[int, int], avro_type: AvroType, report: Report) -> Fraction | None:
    """One edge, in the field's own unit: exactly what is written, a whole number unless the field is a float or double.

    Args:
        node: the edge as it stands.
        field: the name of the field, whose last word may name its unit of time.
        reach: the least and greatest value that the field's type has.
        avro_type: the field's type.
        report: where mistakes go.
    """
    said = short_text(node, report)
    if said is None:
        return None
    found = _EDGE.fullmatch(said)
    if found is None:
        remedy = "Write a number, with KiB, MiB, GiB, ms, s, m, h or d if need be."
        report.add("rule-operand", node.position, f"{shown(said)} is not a valid edge.", remedy)
        return None
    number, unit = Fraction(found[1]), found[2]
    if unit in _BINARY:
        number *= _BINARY[unit]
    elif unit is not None:
        unit_ns = _UNIT_NS.get(field.rpartition("_")[2])
        if unit_ns is None:
            what = f"'{field}' does not say its unit of time, so {shown(said)} may mean anything."
            remedy = "Write the edges in the field's own unit (names in _ms, _us, _s … may use ms, s, m, h and d)."
            report.add("rule-operand", node.position, what, remedy)
            return None
        number = number * DURATION_MS[unit] * 1_000_000 / unit_ns
    if number.denominator > 1 and not is_floating(avro_type):
        what = f"{shown(said)} is not a whole number in the field's unit, and its values are whole."
        report.add("rule-operand", node.position, what, "Write whole edges; only float and double take fractions.")
        return None
    if not reach[0] <= number <= reach[1]:
        report.add("rule-operand", node.position, f"No value of the field reaches {shown(said)}.", "Fix the edge.")
        return None
    return number


def in_type(edges: list[Fraction], avro_type: AvroType) -> tuple[Number, ...] | None:
    """Return edges as an action holds them: whole numbers, or numbers of the field's type if one has a fraction.

    None if one is too large for the type.
    """
    if all(one.denominator == 1 for one in edges):
        return tuple(int(one) for one in edges)
    name = avro_type.name if isinstance(avro_type, Primitive) else ""
    stored = [nearest(one, name) for one in edges]
    return None if None in stored else tuple(one for one in stored if one is not None)


def is_floating(avro_type: AvroType) -> bool:
    """Whether a type is float or double."""
    return isinstance(avro_type, Primitive) and avro_type.name in ("float", "double")
