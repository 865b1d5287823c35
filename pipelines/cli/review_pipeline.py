"""The part of `pipelines review` for the raw topics, the quarantine and the record of changes. Writes no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.diff import plain, show
from pipelines.cli.printing import say_json
from pipelines.contract.changes import Change
from pipelines.contract.folder import PIPELINE_TOPICS
from pipelines.contract.model import Contract
from pipelines.contract.scaffolding import new_pipeline_topics
from pipelines.explain.pipeline_receipt import PipelineReceipt
from pipelines.text_table import TextTable


def print_lines_to_add(contract: Contract) -> None:
    """Print the lines with which a contract from before there was policies/pipeline-topics.yaml begins it."""
    what = (
        "Nobody has reviewed the raw topics, the quarantine and the record of changes. Write this into "
        f"{PIPELINE_TOPICS}, replace each TODO, and then sign what `pipelines review raw`, "
        "`quarantine` and `changes` print:"
    )
    console = make_console()
    console.print(Text(f"\n{what}\n", "bold yellow"))
    click.echo(new_pipeline_topics(contract.raw_topics, contract.quarantine, contract.changes), nl=False)


def print_pipeline_review(
    told: PipelineReceipt,
    compared: str,
    changes: Sequence[Change] | None,
    *,
    covered: str,
    today: date,
    as_json: bool,
) -> None:
    """Print what a review covers, what changed since it was signed, and the digest to sign.

    Args:
        told: what holds now.
        compared: what the changes are counted from, in words.
        changes: None when the state to compare with is not known.
        covered: what the review covers if it is signed, in words.
        today: the day on which the review must stand.
        as_json: print JSON for a program.
    """
    expired = told.expires is not None and today >= told.expires
    if as_json:
        say_review(asdict(told), compared, changes, expired=expired)
        return
    console = make_console()
    _print_receipt(console, told)
    print_since(console, compared, changes, first=not told.covers)
    if told.signed and expired:
        what = f"Signed, but the review expired on {told.expires}: read this again, and renew it."
        console.print(Text(what, "bold yellow"))
    elif told.signed:
        console.print(Text(f"Signed: the review covers {covered}.", "bold green"))
    else:
        what = f"Not signed. If you agree, write this into the `review:` of {told.subject} in {PIPELINE_TOPICS}"
        console.print(Text(what, "bold red"))
    console.print(f"covers: {told.digest}")


def say_review(receipt: dict[str, object], compared: str, changes: Sequence[Change] | None, *, expired: bool) -> None:
    """Print a receipt and what changed since it was signed as JSON."""
    found = None if changes is None else [plain(one) for one in changes]
    say_json({**receipt, "expired": expired, "compared_with": compared, "changes": found})


def print_since(console: Console, compared: str, changes: Sequence[Change] | None, *, first: bool) -> None:
    """Print what changed since a state; `changes` is None when that state is not known, or there was no review."""
    if first and changes is None:
        console.print(Text("\nFirst review: everything above is new.\n", "bold"))
        return
    console.print(Text(f"\nSince {compared}:", "bold"))
    if changes is not None:
        show(console, changes)
    else:
        console.print("  Read everything above as new, or name a state to compare with: --against")
    console.print()


def _print_receipt(console: Console, told: PipelineReceipt) -> None:
    console.print(Text.assemble((told.subject, "bold"), f"  {told.holds}"))
    rows = (
        *told.basis.items(),
        ("at most kept", told.max_ttl),
        ("may be read by", ", ".join(told.reviewed_consumers) or "nobody"),
        ("is read by", ", ".join(told.consumers) or "nobody"),
        ("review", told.review),
    )
    console.print(TextTable(rows, indent=2, styles=("dim",)))
    for topic in told.topics:
        console.print(Text.assemble("→ ", (topic.name, "bold cyan"), f"  kept {topic.ttl}"))
