"""What a person sees of the run: the flow while it runs, the example, and the verdicts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import fastavro
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipelines.contract.avro import Field, FieldClass, Record, not_null
from pipelines.contract.model import Contract, View
from pipelines.demo.checks import Check
from pipelines.demo.evidence import After, Example
from pipelines.relay.accounting import Books, flows

_LONGEST = 46


def flow(contract: Contract, books: Books, sent: int, count: int, left: int | None) -> RenderableType:
    """Raw topics on the left, what became of their events on the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("raw event", "minimized topic"):
        table.add_column(heading)
    for heading in ("in", "out", "quarantined", "expired", "suspended"):
        table.add_column(heading, justify="right")
    known = flows(books)
    for event in contract.events.values():
        of_event = known.get(event.raw_topic, {})
        for number, view in enumerate(event.views):
            name = event.name if number == 0 else ""
            counts = of_event.get(view.topic)
            if counts is None:
                table.add_row(name, view.topic, *["·"] * 5)
                continue
            row = (counts.shown, counts.out, counts.quarantined, counts.expired, counts.suspended)
            table.add_row(name, view.topic, *(f"{n:,}" if n else "·" for n in row))
    status = f"sent {sent:,} of {count:,}"
    if left is not None:
        status += f", {left:,} still on the way" if left else ", all through"
    return Group(table, Text(status, style="dim"))


def verdicts(checks: Sequence[Check]) -> RenderableType:
    """One line a check."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = Text("held", style="green") if check.held else Text("BROKEN", style="bold red")
        table.add_row(mark, check.name, Text(check.detail, style="dim"))
    return table


def example(shown: Example) -> RenderableType:
    """The event as its producer sent it, each leaf with its class, and as each consumer gets it."""
    raw = next(version for version in shown.event.versions if version.fingerprint == shown.before[2:10])
    # Logical types stay numbers here: the point is the bytes' fate, not their beauty.
    fields = _decode(raw.text, shown.before)
    before = Table(box=None, pad_edge=False, show_header=False)
    for field in raw.record.fields:
        before.add_row(field.name, Text(_short(fields[field.name])), Text(_classes(field), style="dim"))
    parts: list[RenderableType] = [Panel(before, title=f"before: {shown.event.name}", title_align="left")]
    parts.extend(_after(after, shown.event.views) for after in shown.after)
    return Group(*parts)


def example_json(shown: Example) -> dict[str, Any]:
    """The minimized records of the example (the raw event stays out of what programs read)."""
    views = {view.topic: view for view in shown.event.views}
    return {
        "event": shown.event.name,
        "after": [
            {
                "topic": after.topic,
                "headers": after.headers,
                "value": _plain(_decode(views[after.topic].schema, after.value)),
            }
            for after in shown.after
        ],
    }


def _after(after: After, views: Sequence[View]) -> Panel:
    view = next(view for view in views if view.topic == after.topic)
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _decode(view.schema, after.value).items():
        table.add_row(name, Text(_short(value)))
    for name in ("ce_id", "ce_handleepoch", "ce_expirytime"):
        if name in after.headers:
            table.add_row(Text(name, style="dim"), Text(after.headers[name], style="dim"))
    return Panel(table, title=f"after: {after.topic}", title_align="left")


def _decode(schema: str, value: bytes) -> dict[str, Any]:
    document: Any = fastavro.schemaless_reader(io.BytesIO(value[10:]), _without_logical_types(json.loads(schema)), None)
    return dict(document)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    return schema


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list():
            return [_plain(part) for part in value]
    return value


def _short(value: object) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _classes(field: Field) -> str:
    if field.class_ is not None:
        return field.class_.value
    inner = not_null(field.type)
    classes: set[FieldClass] = set()
    while not isinstance(inner, Record) and hasattr(inner, "items"):
        inner = not_null(inner.items)
    if isinstance(inner, Record):
        for part in inner.fields:
            if part.class_ is not None:
                classes.add(part.class_)
    return ", ".join(sorted(classes)) or "record"
