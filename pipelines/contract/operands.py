"""Operands: an action's words take their type from the raw field's Avro type, and become an `Action`.

The caller has made sure that the action applies to the type. Each function gives None after noting a mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Final

from pipelines.contract import language
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
)
from pipelines.contract.actions import (
    Scalar as Value,
)
from pipelines.contract.avro import AvroType, Enum, Primitive
from pipelines.contract.edges import edge, in_type
from pipelines.contract.model import DAY_MS
from pipelines.contract.node import Mapping, Node, Scalar
from pipelines.contract.purposes import MAX_LIST, short_text, vocabulary
from pipelines.contract.readings import MOST_DIGITS
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, duration, integer, items, spelled, text

MAX_VALUES: Final = 4_096
MAX_EDGES: Final = 64
_ASCEND: Final = "Order them, each once; in a float field, edges of eight digits can be one number."
MAX_WITHIN_MS: Final = 400 * DAY_MS
_INT: Final = (-(1 << 31), (1 << 31) - 1)
_LONG: Final = (-(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class Lists:
    """The named vocabularies: those that are whole, and the names of all (None: the file could not be read)."""

    whole: MappingOf[str, tuple[str, ...]]
    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Operand:
    """What an operand's reader may look at.

    `type` is the field's over all versions; `where` finds the type of a field of an array's records, and `field` is
    the name of the field that the path ends in.
    """

    node: Node | None
    beside: Mapping | None
    type: AvroType
    field: str
    lists: Lists
    where: Callable[[str], AvroType | None]

    @property
    def read(self) -> str | None:
        """The reading rule, which the caller has checked."""
        node = self.sibling("read")
        return node.text if isinstance(node, Scalar) else None

    def sibling(self, key: str) -> Node | None:
        """The node of a word beside the action, such as `else`."""
        return None if self.beside is None else self.beside.get(key)


def read_action(action: str, operand: Operand, report: Report) -> Action | None:
    """The action that a rule's words mean for this field; None after a mistake."""
    before = len(report)
    read = _READERS[action](operand, report)
    return None if len(report) > before else read


def value(node: Node, avro_type: AvroType, report: Report) -> Value | None:
    """A scalar as a value of a string, enum, boolean, int or long field."""
    said = short_text(node, report)
    if said is None:
        return None
    match avro_type:
        case Enum(_, symbols):
            if said in symbols:
                return said
            what, remedy = (
                f"{shown(said)} is not a symbol of the enum.{meant(said, symbols)}",
                "Write one of its symbols.",
            )
        case Primitive("string"):
            return said
        case Primitive("boolean"):
            if said in ("true", "false"):
                return said == "true"
            what, remedy = f"{shown(said)} is not a boolean.", "Write true or false."
        case _:
            low, high = _range(avro_type)
            return integer(node, low, high, report)
    report.add("rule-operand", node.position, what, remedy)
    return None


def _range(avro_type: AvroType) -> tuple[int, int]:
    return _INT if isinstance(avro_type, Primitive) and avro_type.name == "int" else _LONG


def _within(operand: Operand, report: Report) -> Action | None:
    listed = items(operand.node, report)
    if listed is None or operand.node is None:
        return None
    if len(listed) != 2:  # noqa: PLR2004 - low and high
        report.add("rule-operand", operand.node.position, "`within` takes two numbers.", "Write [low, high].")
        return None
    low, high = (integer(item, *_range(operand.type), report) for item in listed)
    if low is None or high is None:
        return None
    if not 0 <= high - low < MAX_VALUES:
        what = f"{low:,} to {high:,} is not a range of 1 to {MAX_VALUES:,} values."
        report.add("rule-operand", operand.node.position, what, "Narrow it, or use `bucket`.")
    return Within(low, high)


def _bucket(operand: Operand, report: Report) -> Action | None:
    listed = items(operand.node, report)
    if listed is None or operand.node is None:
        return None
    read, avro_type, reach = operand.read, operand.type, _range(operand.type)
    if read is not None:  # a text is read exactly for whole edges, and as a double for others
        avro_type, reach = Primitive("double"), (1 - 10**MOST_DIGITS, 10**MOST_DIGITS - 1)
    edges = [edge(item, operand.field, reach, avro_type, report) for item in listed[: MAX_EDGES + 1]]
    whole = in_type([one for one in edges if one is not None], avro_type)
    if whole is None:
        report.add("rule-operand", operand.node.position, "An edge is too large for a float.", "Fix the edge.")
        return None
    if not 0 < len(listed) <= MAX_EDGES:
        report.add("rule-operand", operand.node.position, f"`bucket` takes 1 to {MAX_EDGES} edges.", "Write [edge, …].")
    for before, after, node in zip(whole, whole[1:], listed[1:], strict=False):
        if after <= before and len(whole) == len(edges):
            report.add("rule-operand", node.position, "The edges do not ascend here.", _ASCEND)
    return Bucket(whole, read)


def _truncate(operand: Operand, report: Report) -> Action | None:
    step_node, within_node = operand.node, None
    if isinstance(operand.node, Mapping):
        section = Section(operand.node, report)
        step_node, within_node = section.need("to"), section.need("within")
        section.close()
    step = duration(step_node, 1, DAY_MS, report)
    within = duration(within_node, 1, MAX_WITHIN_MS, report)
    if step is None or step_node is None or (within_node is not None and within is None):
        return None
    if isinstance(operand.type, Primitive) and operand.type.logical == "date" and step != DAY_MS:
        report.add("rule-operand", step_node.position, "A date has no part of a day.", "Write 1d.")
    if DAY_MS % step:
        what = f"{spelled(step)} does not divide a day, so days would begin at odd times."
        report.add("rule-operand", step_node.position, what, "Write 100ms, 1s, 1m, 5m, 15m, 1h, 6h, 1d …")
    if within is not None and within_node is not None and within % step:
        what = f"`within` is {spelled(within)}, which is not a whole multiple of `to` ({spelled(step)})."
        report.add(
            "rule-operand", within_node.position, what, "Write a `within` that `to` divides, such as 72h for 1h."
        )
    return Truncate(step, within, operand.read)


def _one_of(operand: Operand, report: Report) -> Action | None:
    otherwise = short_text(operand.sibling("else"), report)
    if not isinstance(operand.node, Mapping):
        words = None if operand.node is None else vocabulary(operand.node, report)
        return None if words is None else OneOf(words, otherwise)
    section = Section(operand.node, report)
    name_node = section.need("list")
    section.close()
    name = text(name_node, report)
    if name is None or name_node is None or operand.lists.names is None:
        return None
    if name not in operand.lists.names:
        what = f"There is no list {shown(name)}.{meant(name, operand.lists.names)}"
        report.add("list-unknown", name_node.position, what, "Add it to policies/lists.yaml or fix the name.")
    words = operand.lists.whole.get(name)
    return None if words is None else OneOf(words, otherwise, name)


def _matches(operand: Operand, report: Report) -> Action | None:
    longest_node = operand.sibling("max")
    longest = integer(longest_node, 0, language.MAX_LENGTH, report)
    if longest_node is None and operand.beside is not None:
        report.add(
            "missing-key", operand.beside.position, "'max' is missing.", "Add `max:`, the most characters accepted."
        )
    if longest is None or operand.node is None:
        return None
    pattern = short_text(operand.node, report)
    if pattern is None:
        return None
    try:
        return Matches(pattern, longest, language.strings(pattern, longest))
    except language.Unusable as why:
        remedy = "Write a pattern whose strings can be counted out, in the syntax of docs/contract.md."
        report.add("rule-pattern", operand.node.position, f"The pattern cannot be used: {why}.", remedy)
        return None


def _map(operand: Operand, report: Report) -> Action | None:
    otherwise = short_text(operand.sibling("else"), report)
    section = Section.of(operand.node, "`map`", report)
    if section is None:
        return None
    pairs: dict[Value, str] = {}
    for key, said in section.node.entries[:MAX_LIST]:
        raw, gives = value(key, operand.type, report), short_text(said, report)
        if raw is not None and gives is not None:
            pairs[raw] = gives
    if not 0 < len(section.node.entries) <= MAX_LIST:
        report.add(
            "rule-operand", section.node.position, f"`map` takes 1 to {MAX_LIST:,} pairs.", "Write {raw: said, …}."
        )
    return MapTo(tuple(pairs.items()), otherwise)


def _count_where(operand: Operand, report: Report) -> Action | None:
    section = Section.of(operand.node, "`count_where`", report)
    if section is None:
        return None
    if len(section.node.entries) != 1:
        report.add("rule-operand", section.node.position, "`count_where` takes one field.", "Write {field: [values]}.")
        return None
    key, listed_node = section.node.entries[0]
    avro_type = operand.where(key.text)
    listed = items(listed_node, report)
    if avro_type is None or listed is None:
        if avro_type is None:
            what = f"The array's records have no field {shown(key.text)} that can be compared."
            report.add(
                "rule-operand",
                key.position,
                what,
                "Name a string, enum, int, long or boolean field that all versions have alike.",
            )
        return None
    values = [value(item, avro_type, report) for item in listed[:MAX_LIST]]
    if not 0 < len(listed) <= MAX_LIST:
        report.add("rule-operand", listed_node.position, f"1 to {MAX_LIST:,} values.", "Write {field: [values]}.")
    return CountWhere(key.text, tuple(dict.fromkeys(said for said in values if said is not None)))


_READERS: Final[dict[str, Callable[[Operand, Report], Action | None]]] = {
    "keep": lambda *_: Keep(),
    "within": _within,
    "bucket": _bucket,
    "truncate": _truncate,
    "one_of": _one_of,
    "matches": _matches,
    "map": _map,
    "count": lambda *_: Count(),
    "count_where": _count_where,
    "present": lambda *_: Present(),
    "handle": lambda *_: Handle(),
}
