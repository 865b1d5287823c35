"""Bits: what one record of a view can say besides its handle, as log2 of the number of distinct bodies.

The number is that of `counting`, a whole one; the logarithm is the last step. It holds whatever producers send: no
event, however odd, gives a body that is not counted. Never reads an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from pipelines.contract.actions import Truncate
from pipelines.contract.bits.counting import bodies, items
from pipelines.contract.model import OutputArray, OutputField, RawSchema, Rule, View


@dataclass(frozen=True, slots=True)
class FieldBits:
    """One output on its own. Of an array, `each` are the fields of one item, and `most` is how many items there may be.

    Fields add up to more than their view where one record's null makes several of them null together.
    """

    name: str
    path: str
    count: int
    is_time: bool = False
    each: tuple[FieldBits, ...] = ()
    most: int = 1

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)


@dataclass(frozen=True, slots=True)
class ViewBits:
    """A view: `count` distinct bodies, and its outputs, the most telling first."""

    count: int
    fields: tuple[FieldBits, ...]

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)

    @property
    def time_bits(self) -> float:
        """The bits of the times alone, which a producer's clock may set to any time that their rules allow."""
        return sum(field.bits for field in self.fields if field.is_time)

    def within(self, max_bits: int) -> bool:
        """Whether it is within a budget; by whole numbers."""
        return self.count <= 1 << max_bits


def spelled_bits(bits: float) -> str:
    """Bits as people read them, rounded up: what is over a budget never looks as if it were not."""
    return f"{ceil(bits * 10 - 1e-9) / 10:.1f}"


def view_bits(versions: tuple[RawSchema, ...], view: View) -> ViewBits:
    """What a record of a view can say, over all versions of the raw schema."""
    fields = [_field(versions, output) for output in view.output]
    telling = sorted((field for field in fields if field.count > 1), key=lambda field: (-field.count, field.name))
    return ViewBits(max(bodies(versions, view.rules), 1), tuple(telling))


def rule_bits(versions: tuple[RawSchema, ...], rule: Rule) -> float:
    """What one rule's output alone can say, for each item where it goes into an array."""
    return log2(rule_count(versions, rule))


def rule_count(versions: tuple[RawSchema, ...], rule: Rule) -> int:
    """How many distinct things that are: a whole number, at least 1."""
    in_items = any(step.items for step in rule.path.steps)
    return max(items(versions, [rule]) if in_items else bodies(versions, [rule]), 1)


def _field(versions: tuple[RawSchema, ...], output: OutputField | OutputArray) -> FieldBits:
    if isinstance(output, OutputField):
        return _of_rule(versions, output)
    each = tuple(
        FieldBits(field.name, str(field.rule.path), max(items(versions, [field.rule]), 1), _is_time(field))
        for field in output.fields
    )
    count = max(bodies(versions, [field.rule for field in output.fields]), 1)
    return FieldBits(output.name, str(output.source), count, False, each, output.max_items)


def _of_rule(versions: tuple[RawSchema, ...], output: OutputField) -> FieldBits:
    count = max(bodies(versions, [output.rule]), 1)
    return FieldBits(output.name, str(output.rule.path), count, _is_time(output))


def _is_time(output: OutputField) -> bool:
    return isinstance(output.rule.action, Truncate)


__all__ = ["FieldBits", "ViewBits", "rule_bits", "rule_count", "spelled_bits", "view_bits"]
