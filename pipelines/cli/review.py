"""`pipelines review`: show what a purpose receives, what changed since it was signed, and the digest to sign.

Writes nothing: who signs puts the line into purposes.yaml by hand, in a change that bears their name.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.diff import contract_of, plain, show
from pipelines.cli.options import contract_option, history_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load
from pipelines.contract.bits import spelled_bits
from pipelines.contract.changes import Change, accepted_since, since
from pipelines.contract.changes.revisions import signed_states
from pipelines.contract.checks.classes import PROTECTED
from pipelines.contract.checks.reviews import SIGNED
from pipelines.contract.findings import Severity
from pipelines.contract.model import Contract
from pipelines.contract.report import counted
from pipelines.explain.receipt import FieldReceipt, Receipt, receipt
from pipelines.trouble import Exit


@click.command("review")
@click.argument("purpose", required=False)
@click.option("--against", metavar="FOLDER|REVISION", help="Compare with this contract, not with what was signed.")
@contract_option
@overlay_option
@history_option
@json_option
def command(
    purpose: str | None,
    against: str | None,
    contract_dir: Path,
    overlay: str | None,
    history: bool,
    as_json: bool,
) -> None:
    """Show what a purpose receives, what changed since it was signed, and the digest to sign.

    A review covers everything that its purpose receives: each field of each view, topics with their times and
    consumers, handles, and the answers to the review's questions. `covers` is the digest of that. Whoever agrees writes
    the printed line into the purpose's review in policies/purposes.yaml; this command never does. With --history, the
    state that was signed is looked up in git; --against names a state to compare with. Without PURPOSE: all purposes,
    signed or not.
    Handles change with each epoch, and fields that stay the same do not: `across epochs` says by how many bits records
    can match the handles of two epochs, at most, and what policies/linkage.yaml accepts of that. The digest does not
    cover acceptances; --against and --history show which were added, raised or removed for the purpose.
    Under an overlay a purpose receives less than what was signed, and nothing more is to be signed for that: it shows
    what is received then, and what the overlay changes; the digest stays that of the contract.

    \b
    Examples:
      pipelines review                       which purposes are signed
      pipelines review support
      pipelines review support --history          and what changed since it was signed
      pipelines review support --against main

    Exit codes: 0 signed, 1 not signed or the contract has errors, 2 it cannot be read.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    today = datetime.now(UTC).date()
    with ExitStack() as stack:
        contract = contract_of(str(contract_dir), contract_dir, stack)
        if purpose is None:
            if against is not None:
                raise click.UsageError("--against needs a PURPOSE.")
            signed = _all(contract, today, as_json)
        else:
            told = receipt(contract, purpose)
            before = None if against is None else contract_of(against, contract_dir, stack)
            since_ = _since(told, contract, before, contract_dir if history else None, today)
            if overlay is not None:
                laid = contract_of(str(contract_dir), contract_dir, stack, overlay)
                told = replace(receipt(laid, purpose), digest=told.digest, signed=told.signed)
                since_ = "the contract without the overlay", since(before or contract, laid, purpose)
            covered = "exactly this" if overlay is None else "the contract, of which this is a part"
            signed = _one(told, *since_, covered=covered, today=today, as_json=as_json)
    findings = load(contract_dir, as_of=today, overlay=overlay).findings
    if unfit := sum(found.severity is Severity.ERROR and found.check != SIGNED for found in findings):
        click.echo(f"Other errors: {unfit}. `pipelines validate` names them; sign when there are none.", err=True)
    if unfit or not signed:
        raise click.exceptions.Exit(Exit.FINDINGS)


def _since(
    told: Receipt, contract: Contract, before: Contract | None, root: Path | None, today: date
) -> tuple[str, tuple[Change, ...] | None]:
    """What is compared with, in words, and the changes; None when the signed state is not known.

    `root` is where to run git; None for not at all.
    """
    if before is not None:
        there = told.purpose in before.purposes
        named = "the named contract" if there else "the named contract, which has no such purpose"
        return named, _changes(before, contract, told.purpose)
    if told.signed:
        return "what was signed", ()
    if not told.covers:
        return "nothing: no review covers this purpose yet", None
    if root is None:
        return "what was signed: only --history looks for that state, in git", None
    states, why = signed_states(root, {told.purpose: told.covers}, as_of=today)
    if (state := states.get(told.purpose)) is not None:
        signed = f"what was signed, in commit {state.commit[:12]} of {state.day}"
        return signed, _changes(state.contract, contract, told.purpose)
    return f"what was signed, which cannot be shown: {why}", None


def _changes(old: Contract, new: Contract, purpose: str) -> tuple[Change, ...]:
    return (*since(old, new, purpose), *accepted_since(old, new, purpose))


def _all(contract: Contract, today: date, as_json: bool) -> bool:
    told = [receipt(contract, name) for name in contract.purposes]
    if as_json:
        brief = [{"purpose": one.purpose, "signed": one.signed, "digest": one.digest} for one in told]
        say_json(brief)
        return all(one.signed for one in told)
    table = Table("purpose", "review", "until", "signed", box=None)
    for one in told:
        review = contract.purposes[one.purpose].review
        until = "" if review is None else f"{review.expires}{' (expired)' if today >= review.expires else ''}"
        state = Text("yes", "green") if one.signed else Text("no", "bold red")
        table.add_row(one.purpose, "none" if review is None else review.id, until, state)
    make_console().print(table)
    return all(one.signed for one in told)


def _one(
    told: Receipt, compared: str, changes: Sequence[Change] | None, *, covered: str, today: date, as_json: bool
) -> bool:
    expired = told.expires is not None and today >= told.expires
    if as_json:
        found = None if changes is None else [plain(one) for one in changes]
        said = {**asdict(told), "expired": expired, "compared_with": compared, "changes": found}
        say_json(said)
        return told.signed
    console = make_console()
    _print_receipt(console, told)
    console.print(Text(f"\nSince {compared}:", "bold"), soft_wrap=True)
    if changes is not None:
        show(console, changes)
    else:
        console.print("  Read everything above as new, or name a state to compare with: --against", soft_wrap=True)
    console.print()
    if told.signed and expired:
        until = f"the review expired on {told.expires}: nothing is received until it is renewed"
        console.print(Text(f"Signed, but {until}.", "bold yellow"), soft_wrap=True)
    elif told.signed:
        console.print(Text(f"Signed: the review covers {covered}.", "bold green"))
    else:
        console.print(Text("Not signed. If you agree, write this into the purpose's `review:`", "bold red"))
    console.print(f"covers: {told.digest}", soft_wrap=True)
    return told.signed


def _print_receipt(console: Console, told: Receipt) -> None:
    console.print(Text.assemble((told.purpose, "bold"), f"  {told.description}"))
    table = Table.grid(Column(), Column(overflow="fold"), padding=(0, 2))
    for name, text in (
        ("objective", f"{told.objective} ({told.iri})"),
        ("legal basis", told.legal_basis),
        *((question.replace("_", " "), answer) for question, answer in told.answers.items()),
        ("carries", told.handle),
        ("at most", f"{counted(told.max_bits, 'bit')} in a record besides the handle"),
        ("across epochs", _across_epochs(told)),
        ("review", told.review),
    ):
        table.add_row(Text(f"  {name}", "dim"), Text(text))
    console.print(table)
    for topic in told.topics:
        console.print(Text.assemble("\n→ ", (topic.name, "bold cyan")))
        readers = ", ".join(topic.consumers) or "nobody yet"
        console.print(f"  kept {topic.ttl}; events up to {topic.late} old; read by {readers}", soft_wrap=True)
        for view in (view for view in told.views if view.topic == topic.name):
            bits = f"{spelled_bits(view.bits)} bits"
            console.print(Text.assemble("  of each ", (view.event, "bold"), f", its time {view.time}; {bits}"))
            fields = Table.grid(Column(), Column(overflow="fold"), padding=(0, 2))
            for field in view.fields:
                fields.add_row(Text(f"    {field.name}", "green"), Text(f"{field.gives}{_source(field)}"))
            console.print(fields)


def _across_epochs(told: Receipt) -> str:
    """What the records tell of a handle that stays the same when its key changes, and what was accepted of that."""
    found = told.across_epochs
    if found is None:
        return "no view has a handle, so there is none to match"
    events = ", ".join(f"{event} {spelled_bits(bits)}" for event, bits in found.events)
    said = f"records can match handles of two epochs by up to {spelled_bits(found.bits)} bits ({events})"
    return said if found.up_to is None else f"{said}; accepted up to {found.up_to} bits: {found.reason}"


def _source(field: FieldReceipt) -> str:
    """The raw field, if it is called otherwise, and the protected classes of what it tells of."""
    made_of = [] if field.name == field.raw else [field.raw]
    classed = [class_.replace("_", " ") for class_ in field.class_.split(", ") if class_ in PROTECTED]
    return f" (from {', '.join([*made_of, *classed])})" if made_of or classed else ""
