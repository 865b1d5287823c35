"""Edges of buckets: whole numbers, with units where nobody can mistake them."""

from __future__ import annotations

import re
from typing import Final

from pipelines.contract.node import Node
from pipelines.contract.purposes import short_text
from pipelines.contract.report import Report, shown
from pipelines.contract.section import DURATION_MS

_EDGE: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,18}))(KiB|MiB|GiB|Ki|Mi|Gi|s|m|h|d)?", re.ASCII)
_BINARY: Final = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# What one of a field's units is in nanoseconds, told by the last word of its name.
_UNIT_NS: Final = {
    **dict.fromkeys(("ns", "nanos", "nanoseconds"), 1),
    **dict.fromkeys(("us", "micros", "microseconds"), 1_000),
    **dict.fromkeys(("ms", "millis", "milliseconds"), 1_000_000),
    **dict.fromkeys(("s", "secs", "seconds"), 1_000_000_000),
}


def edge(node: Node, field: str, reach: tuple[int, int], report: Report) -> int | None:
    """One edge, in the field's own unit.

    Args:
        node: the edge as it stands.
        field: the name of the field, whose last word may name its unit of time.
        reach: the least and greatest value that the field's type has.
        report: where mistakes go.
    """
    said = short_text(node, report)
    if said is None:
        return None
    found = _EDGE.fullmatch(said)
    if found is None:
        remedy = "Write a whole number, with KiB, MiB, GiB, s, m, h or d if need be."
        report.add("rule-operand", node.position, f"{shown(said)} is not a valid edge.", remedy)
        return None
    number, unit = int(found[1]), found[2]
    if unit in _BINARY:
        number *= _BINARY[unit]
    elif unit is not None:
        unit_ns = _UNIT_NS.get(field.rpartition("_")[2])
        if unit_ns is None:
            what = f"'{field}' does not say its unit of time, so {shown(said)} may mean anything."
            remedy = "Write the edges in the field's own unit (names in _ms, _us, _s … may use s, m, h and d)."
            report.add("rule-operand", node.position, what, remedy)
            return None
        number = number * DURATION_MS[unit] * 1_000_000 // unit_ns
    if not reach[0] <= number <= reach[1]:
        report.add("rule-operand", node.position, f"No value of the field reaches {shown(said)}.", "Fix the edge.")
        return None
    return number
