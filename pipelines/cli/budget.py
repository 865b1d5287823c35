"""The information budget as a table and as JSON: what one record of each view can say, against what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from typing import Any

from rich.console import Console
from rich.text import Text

from pipelines.contract.arrival import arrival_bits
from pipelines.contract.bits import FieldBits, ViewBits, spelled_bits, view_bits
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.model import Contract, View
from pipelines.contract.report import counted


def print_bits(console: Console, contract: Contract) -> None:
    """One line a view, most bits first within a purpose; each with the outputs that say most."""
    together, everything = _together(contract), list(_views(contract))
    for purpose in sorted(contract.purposes.values(), key=lambda one: one.name):
        views = [(view, said) for view, said in everything if view.purpose == purpose.name]
        if not views:
            continue
        console.print(Text.assemble((purpose.name, "bold"), f"  at most {counted(purpose.max_bits, 'bit')} a record"))
        for view, said in sorted(views, key=lambda one: -one[1].count):
            within = said.within(purpose.max_bits)
            line = Text.assemble(
                ("  ✓ " if within else "  ✗ ", "green" if within else "red"),
                f"{spelled_bits(said.bits):>6}  ",
                (view.event, "cyan"),
                f" → {view.topic}  ",
                (", ".join(spelled(field) for field in said.fields), "dim"),
                (f"; beside it arrival {spelled_bits(arrival_bits(contract.topics[view.topic].ttl_ms))}", "dim"),
            )
            console.print(line)
        for event in contract.events:
            if (event, purpose.name) not in together:
                continue
            count = together[event, purpose.name]
            within = count <= 1 << purpose.max_bits
            line = Text.assemble(
                ("  ✓ " if within else "  ✗ ", "green" if within else "red"),
                f"{spelled_bits(log2(count)):>6}  ",
                (event, "cyan"),
                " → all topics of the purpose together",
            )
            console.print(line)
    console.print()


def spelled(field: FieldBits) -> str:
    """A field's name and its bits; of an array, what one item says."""
    if not field.each:
        return f"{field.name} {spelled_bits(field.bits)}"
    item = spelled_bits(sum(one.bits for one in field.each))
    return f"{field.name} {spelled_bits(field.bits)} (0 to {counted(field.most, 'item')} of {item})"


def plain_bits(contract: Contract) -> list[dict[str, Any]]:
    """The same, for programs. `count` is a whole number of any size, so it is a text."""
    together = _together(contract)
    return [
        {
            "event": view.event,
            "topic": view.topic,
            "purpose": view.purpose,
            "bits": said.bits,
            "time_bits": said.time_bits,
            "arrival_bits": arrival_bits(contract.topics[view.topic].ttl_ms),
            "together_bits": log2(together[view.event, view.purpose])
            if (view.event, view.purpose) in together
            else None,
            "count": _digits(said.count),
            "max_bits": contract.purposes[view.purpose].max_bits,
            "within": max(together.get((view.event, view.purpose), 1), said.count)
            <= 1 << contract.purposes[view.purpose].max_bits,
            "fields": [_field(field) for field in said.fields],
        }
        for view, said in _views(contract)
    ]


def _field(field: FieldBits) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": field.name, "path": field.path, "bits": field.bits}
    if field.each:
        plain |= {"max_items": field.most, "item": [_field(one) for one in field.each]}
    return plain


def _together(contract: Contract) -> dict[tuple[str, str], int]:
    """Event type and purpose -> what all records of one event say together, where these are in several topics."""
    late_ms = {name: topic.late_ms for name, topic in contract.topics.items()}
    found = {}
    for event in contract.events.values():
        for purpose in {view.purpose for view in event.views}:
            views = [view for view in event.views if view.purpose == purpose]
            if len(views) > 1:
                found[event.name, purpose] = joint_count(event.versions, views, late_ms)
    return found


def _digits(count: int) -> str:
    """A number in decimal; beyond a length that nobody reads, in hexadecimal, which takes no time."""
    return str(count) if count.bit_length() < 4_096 else hex(count)  # noqa: PLR2004


def _views(contract: Contract) -> Iterator[tuple[View, ViewBits]]:
    for _, event in sorted(contract.events.items()):
        for view in event.views:
            yield view, view_bits(event.versions, view)
