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
from pipelines.contract.model import Contract, Event, View
from pipelines.contract.report import counted


def print_bits(console: Console, contract: Contract) -> None:
    """One line a view, most bits first within a purpose; each with the outputs that say most."""
    for purpose in sorted(contract.purposes.values(), key=lambda one: one.name):
        views = [(view, said) for view, said in _views(contract) if view.purpose == purpose.name]
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
            console.print(line, soft_wrap=not console.is_terminal)
        for event in contract.events.values():
            together = _together(contract, event, purpose.name)
            if together is not None:
                within = together <= 1 << purpose.max_bits
                line = Text.assemble(
                    ("  ✓ " if within else "  ✗ ", "green" if within else "red"),
                    f"{spelled_bits(log2(together)):>6}  ",
                    (event.name, "cyan"),
                    " → all topics of the purpose together",
                )
                console.print(line, soft_wrap=not console.is_terminal)
    console.print()


def spelled(field: FieldBits) -> str:
    """A field's name and its bits; of an array, what one item says."""
    if not field.each:
        return f"{field.name} {spelled_bits(field.bits)}"
    item = spelled_bits(sum(one.bits for one in field.each))
    return f"{field.name} {spelled_bits(field.bits)} (0 to {counted(field.most, 'item')} of {item})"


def plain_bits(contract: Contract) -> list[dict[str, Any]]:
    """The same, for programs. `count` is a whole number of any size, so it is a text."""
    return [
        {
            "event": view.event,
            "topic": view.topic,
            "purpose": view.purpose,
            "bits": said.bits,
            "time_bits": said.time_bits,
            "arrival_bits": arrival_bits(contract.topics[view.topic].ttl_ms),
            "together_bits": None
            if (together := _together(contract, contract.events[view.event], view.purpose)) is None
            else log2(together),
            "count": _digits(said.count),
            "max_bits": contract.purposes[view.purpose].max_bits,
            "within": max(together or 1, said.count) <= 1 << contract.purposes[view.purpose].max_bits,
            "fields": [_field(field) for field in said.fields],
        }
        for view, said in _views(contract)
    ]


def _field(field: FieldBits) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": field.name, "path": field.path, "bits": field.bits}
    if field.each:
        plain |= {"max_items": field.most, "item": [_field(one) for one in field.each]}
    return plain


def _together(contract: Contract, event: Event, purpose: str) -> int | None:
    """What all records of one event say together to a purpose that receives it in several topics; None: in one."""
    views = [view for view in event.views if view.purpose == purpose]
    late_ms = {name: topic.late_ms for name, topic in contract.topics.items()}
    return joint_count(event.versions, views, late_ms) if len(views) > 1 else None


def _digits(count: int) -> str:
    """A number in decimal; beyond a length that nobody reads, in hexadecimal, which takes no time."""
    return str(count) if count.bit_length() < 4_096 else hex(count)  # noqa: PLR2004


def _views(contract: Contract) -> Iterator[tuple[View, ViewBits]]:
    for _, event in sorted(contract.events.items()):
        for view in event.views:
            yield view, view_bits(event.versions, view)
