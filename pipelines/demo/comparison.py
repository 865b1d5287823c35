"""The example, field by field: what its producer sent, and what each view made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pipelines.contract.actions import Count, CountWhere, Handle, Present
from pipelines.contract.model import OutputArray, OutputField, View
from pipelines.contract.path import Path
from pipelines.demo.evidence import Example
from pipelines.demo.example import decode
from pipelines.explain.leaves import Leaf, leaves_of

_HANDLE_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A raw field: its path, its class, its value, and what each view that uses it says (topic → text)."""

    path: str
    class_: str
    before: str
    after: Mapping[str, str]


def compare(example: Example) -> list[Row]:
    """One row for each leaf of the event, in the schema's order."""
    raw = next(version for version in example.event.versions if version.fingerprint == example.before[2:10])
    fields = decode(raw.text, example.before) or {}
    views = {view.topic: view for view in example.event.views}
    records = {
        after.topic: decode(views[after.topic].schema, after.value) or {}
        for after in sorted(example.after, key=lambda after: list(views).index(after.topic))
    }
    told: dict[str, set[Path]] = {topic: set() for topic in records}
    return [
        Row(
            leaf.path,
            "" if leaf.class_ is None else leaf.class_.value,
            text(_dig(fields, leaf.fields)),
            {
                topic: said
                for topic, record in records.items()
                for said in [_said(views[topic], record, leaf, told[topic])]
                if said
            },
        )
        for leaf in leaves_of(example.event)
        if raw.version in leaf.versions
    ]


def text(value: Any) -> str:
    """A value in a few words: times without what is zero, bytes in hexadecimal or as the text they are."""
    match value:
        case str():
            return value
        case datetime():
            return value.replace(tzinfo=None).isoformat(" ", "minutes" if not _fine(value) else "milliseconds")
        case date() | UUID() | Decimal():
            return str(value)
        case bytes():
            return value.decode() if value.isascii() and value.decode().isprintable() else value.hex()
        case float():
            return f"{value:.6g}"
        case None | bool() | int():
            return json.dumps(value)
        case Mapping():
            return "{" + ", ".join(f"{name}: {text(part)}" for name, part in value.items()) + "}"
        case Sequence():
            return "[" + ", ".join(map(text, value)) + "]"
    return str(value)


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case Mapping():
            return {name: plain(part) for name, part in value.items()}
        case list():
            return [plain(part) for part in value]
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | UUID() | Decimal():
            return str(value)
    return value


def _fine(value: datetime) -> bool:
    return bool(value.second or value.microsecond)


def _dig(value: Any, fields: Sequence[str]) -> Any:
    """What stands at a leaf: of an array of records, each item's."""
    for number, name in enumerate(fields):
        if isinstance(value, list):
            return [_dig(item, fields[number:]) for item in value]
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _said(view: View, record: Mapping[str, Any], leaf: Leaf, told: set[Path]) -> str:
    """What a view's record says of a leaf; a count of a container is said once, at the leaf that decides."""
    words = []
    for output, value in _outputs(view, record):
        path = output.rule.path
        action = output.rule.action
        if path in told or not leaf.is_under(path):
            continue
        if isinstance(action, CountWhere) and leaf.fields[-1] != action.field:
            continue
        if isinstance(action, Count | CountWhere | Present):
            told.add(path)
        words.append(_in_words(output, value))
    return " ".join(words)


def _outputs(view: View, record: Mapping[str, Any]) -> Iterator[tuple[OutputField, Any]]:
    for output in view.output:
        value = record.get(output.name)
        if isinstance(output, OutputArray):
            for field in output.fields:
                yield field, None if value is None else [item.get(field.name) for item in value]
        else:
            yield output, value


def _in_words(output: OutputField, value: Any) -> str:
    match output.rule.action:
        case Handle():
            return f"{value.hex()[:_HANDLE_DIGITS]}…" if isinstance(value, bytes) else text(value)
        case Count() | CountWhere():
            return f"count {text(value)}"
        case Present():
            return "present" if value else "absent"
    return text(value)
