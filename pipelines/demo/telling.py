"""Telling: the example and the verdicts, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.demo.checks import Check
from pipelines.demo.comparison import Row, compare, plain
from pipelines.demo.evidence import Example
from pipelines.demo.example import decode
from pipelines.text_table import TextTable

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def example(shown: Example) -> RenderableType:
    """Each field as its producer sent it, and what becomes of it; views that say the same share a word."""
    topics = [view.topic for view in shown.event.views if any(after.topic == view.topic for after in shown.after)]
    letters = dict(zip(topics, _LETTERS, strict=False))
    legend = Text("One event, as its product sent it, and as it arrives in")
    for topic, letter in letters.items():
        legend.append("\n  ").append(letter, "bold cyan").append(f" {topic}")
    rows = [(Text(row.path), Text(row.before), _after(row, letters)) for row in compare(shown)]
    ends = {after.topic: after.headers.get("ce_expirytime", "").replace("T", " ")[:16] for after in shown.after}
    rows.append((Text("(must be gone by)", "dim"), Text(), _merged(ends, letters)))
    return Group(legend, TextTable(rows, (shown.event.name, "before", "after")))


def example_json(shown: Example) -> dict[str, Any]:
    """The minimized records of the example. The raw event stays out of what programs read and keep."""
    views = {view.topic: view for view in shown.event.views}
    return {
        "event": shown.event.name,
        "after": [
            {
                "topic": after.topic,
                "headers": dict(after.headers),
                "value": plain(decode(views[after.topic].schema, after.value)),
            }
            for after in shown.after
        ],
    }


def verdicts(checks: Sequence[Check]) -> RenderableType:
    """One line a check, more where a detail needs them."""
    return TextTable(
        [
            (
                Text("held", "green") if check.held else Text("BROKEN", "bold red"),
                check.name,
                Text(check.detail, "dim" if check.held else ""),
            )
            for check in checks
        ]
    )


def _after(row: Row, letters: dict[str, str]) -> Text:
    if not row.after:
        return Text(f"dropped: {row.class_.replace('_', ' ')}" if row.class_ else "dropped", "dim")
    return _merged(row.after, letters)


def _merged(said: Mapping[str, str], letters: dict[str, str]) -> Text:
    by_word: dict[str, str] = {}
    for topic, word in said.items():
        by_word[word] = by_word.get(word, "") + letters.get(topic, "?")
    text = Text()
    for number, (word, who) in enumerate(by_word.items()):
        text.append("  " if number else "").append("".join(sorted(who)), "bold cyan").append(f" {word}")
    return text
