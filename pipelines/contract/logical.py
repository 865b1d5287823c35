"""Logical types: which may stand on which Avro type (Avro 1.12 "Logical Types").

Avro says that a reader ignores what does not fit. A contract cannot: a time that is silently a number would be refused
its truncation, so what does not fit is a mistake.
"""

from __future__ import annotations

from typing import Final

from pipelines.contract.node import Scalar
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, integer

LOGICAL_ATTRIBUTES: Final = ("logicalType", "precision", "scale")
_ON: Final[dict[str, tuple[str, ...]]] = {
    "decimal": ("bytes", "fixed"),
    "big-decimal": ("bytes",),
    "uuid": ("string", "fixed"),
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    "timestamp-millis": ("long",),
    "timestamp-micros": ("long",),
    "timestamp-nanos": ("long",),
    "local-timestamp-millis": ("long",),
    "local-timestamp-micros": ("long",),
    "local-timestamp-nanos": ("long",),
    "duration": ("fixed",),
}
TIMES: Final = tuple(name for name in _ON if name == "date" or name.rpartition("-")[0].endswith(("time", "timestamp")))
"""Days, times of day and moments."""
_SIZES: Final = {"uuid": 16, "duration": 12}
_MAX_PRECISION: Final = 1_000


def logical_of(section: Section, avro_type: str, size: int, report: Report) -> tuple[str | None, int] | None:
    """A definition's logical type and scale.

    Args:
        section: the definition.
        avro_type: the type that it stands on.
        size: a fixed's size in bytes, else 0.
        report: where mistakes go.

    Returns:
        (logical type or None, scale); None after a mistake.
    """
    node = section.may("logicalType")
    if node is None:
        return None, 0
    name = node.text if isinstance(node, Scalar) else ""
    if avro_type not in _ON.get(name, ()):
        hint = f" It stands on {' or '.join(_ON[name])}." if name in _ON else meant(name, _ON)
        what = f"The logical type {shown(name)} does not stand on {avro_type}.{hint}"
        report.add("schema-logical-type", node.position, what, "Fix the type or remove logicalType.")
        return None
    if avro_type == "fixed" and size != _SIZES.get(name, size):
        what = f"The logical type '{name}' needs a fixed of {_SIZES[name]} bytes."
        report.add("schema-logical-type", node.position, what, "Fix the size.")
        return None
    return (name, 0) if name != "decimal" else _decimal(section, size, report)


def _decimal(section: Section, size: int, report: Report) -> tuple[str, int] | None:
    precision = integer(section.need("precision"), 1, _MAX_PRECISION, report)
    scale_node = section.may("scale")
    if precision is None:
        return None
    if size and 10**precision - 1 > 2 ** (8 * size - 1) - 1:
        what = f"A fixed of {size} bytes cannot hold {precision} digits."
        report.add("schema-logical-type", section.node.position, what, "Lower the precision or widen the fixed.")
        return None
    scale = 0 if scale_node is None else integer(scale_node, 0, precision, report)
    return None if scale is None else ("decimal", scale)
