"""`pipelines explain`: the policy in words. Needs the contract alone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.unsigned import print_unsigned
from pipelines.contract import load_to_look_at
from pipelines.contract.bits import spelled_bits
from pipelines.explain import EventStory, FieldStory, ViewStory, tell
from pipelines.text_table import TextTable


@click.command("explain")
@click.argument("event")
@click.argument("field", required=False)
@contract_option
@overlay_option
@json_option
def command(event: str, field: str | None, contract_dir: Path, overlay: str | None, as_json: bool) -> None:
    """Say what happens to an event type or to one field, and why.

    EVENT is an event type such as vpn.session. FIELD is a path as a policy spells it, such as client.platform; a record
    stands for all that it holds. For each field: its class, what every view makes of it, in which topic, for which
    purpose, how long, for whom; or why it never leaves. A purpose that nobody has signed yet is shown as UNSIGNED.
    """
    today = datetime.now(UTC).date()
    found = load_to_look_at(contract_dir, as_of=today, overlay=overlay)
    story = tell(found.contract, event, field, as_of=today, unsigned=found.unsigned)
    if as_json:
        say_json(asdict(story))
        return
    console = make_console()
    print_unsigned(console, found.unsigned, {view.purpose for view in story.views}, topics=found.unsigned_topics)
    _print_head(console, story)
    _print_views(console, story.views)
    for one in story.fields:
        _print_field(console, one)


def _print_head(console: Console, story: EventStory) -> None:
    versions = ", ".join(map(str, story.versions))
    console.print(Text.assemble((story.event, "bold"), f"  (schema versions {versions})"))
    published = " and ".join(story.producers) or "nobody yet"
    console.print(f"enters by {story.raw_topic}, kept {story.raw_ttl}, published by {published}\n")


def _print_views(console: Console, views: tuple[ViewStory, ...]) -> None:
    for view in views:
        console.print(Text.assemble("→ ", (view.topic, "bold cyan")))
        rows = (
            ("for", f"{view.purpose} ({view.objective}): {view.description}"),
            ("kept", view.ttl),
            ("read by", ", ".join(view.consumers) or "nobody yet"),
            ("carries", f"{view.handle}; times {view.time}"),
            ("can say", f"{spelled_bits(view.bits)} bits a record besides the handle; at most {view.max_bits}"),
            ("review", view.review),
        )
        console.print(TextTable(rows, indent=4, styles=("dim",)))
    console.print()


def _print_field(console: Console, field: FieldStory) -> None:
    console.print(Text.assemble((field.path, "bold"), (f"  {field.class_} · {field.type}", "dim")))
    rows = []
    for use in field.uses:
        bits = "" if use.bits is None else f" ({spelled_bits(use.bits)} bits{' an item' if '[]' in use.rule else ''})"
        rows.append((Text.assemble(("→ ", "green"), (use.topic, "cyan")), f"{use.name}: {use.gives}{bits}"))
    if field.unused is not None:
        rows.append((Text.assemble(("✗ ", "red"), "never leaves"), field.unused))
    console.print(TextTable(rows, indent=2))
