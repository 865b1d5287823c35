"""`pipelines review`: show what a review covers, what changed since it was signed, and the digest to sign.

Writes nothing: who signs puts the line into the contract's file by hand, in a change that bears their name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.diff import contract_of
from pipelines.cli.options import contract_option, history_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.review_pipeline import print_lines_to_add, print_pipeline_review, print_since, say_review
from pipelines.contract import load
from pipelines.contract.bits import spelled_bits
from pipelines.contract.changes import Change, accepted_since, since
from pipelines.contract.changes.revisions import signed_states
from pipelines.contract.checks.classes import PROTECTED
from pipelines.contract.checks.reviews import SIGNED
from pipelines.contract.findings import Severity
from pipelines.contract.folder import PIPELINE_TOPICS
from pipelines.contract.model import Contract, Review
from pipelines.contract.pipeline_topics import SUBJECTS
from pipelines.contract.report import counted
from pipelines.explain.pipeline_receipt import PipelineReceipt, pipeline_receipt
from pipelines.explain.receipt import FieldReceipt, Receipt, receipt
from pipelines.text_table import TextTable
from pipelines.trouble import Exit, Trouble

_UNSIGNED: Final = frozenset({SIGNED, "review-missing", "review-covers"})
"""The checks that fail until a review is signed: `review` says itself what to sign."""


@click.command("review")
@click.argument("purpose", metavar="[PURPOSE|raw|quarantine|changes]", required=False)
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
    """Show what a review covers, what changed since it was signed, and the digest to sign.

    A review covers everything that its purpose receives: each field of each view, topics with their times and
    consumers, handles, and the answers to the review's questions. `covers` is the digest of that. A reviewer who agrees
    writes the printed line into the purpose's review in policies/purposes.yaml; this command never does. With
    --history, the state that was signed is looked up in git; --against names a state to compare with. Without PURPOSE:
    all reviews, signed or not.
    `raw`, `quarantine` and `changes` are the topics that serve no purpose. Their reviews are in
    policies/pipeline-topics.yaml, and cover why these topics are kept, for how long at most, and who may read them.
    Handles change with each epoch, and fields that stay the same do not: `across epochs` says by how many bits records
    can match the handles of two epochs, at most, and what policies/linkage.yaml accepts of that. The digest does not
    cover acceptances; --against and --history show which were added, raised or removed for the purpose.
    Under an overlay a purpose receives less than what was signed, and nothing more is to be signed for that: it shows
    what is received then, and what the overlay changes; the digest stays that of the contract.

    \b
    Examples:
      pipelines review                       what is signed
      pipelines review support
      pipelines review support --history          and what changed since it was signed
      pipelines review support --against main
      pipelines review quarantine            who may read the notes, and for how long they are kept

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
            of = _receipt_of(contract, purpose)
            told = of(contract, purpose)
            before = None if against is None else contract_of(against, contract_dir, stack)
            since_ = _since(purpose, told, contract, before, contract_dir if history else None, today)
            if overlay is not None:
                laid = contract_of(str(contract_dir), contract_dir, stack, overlay)
                told = replace(of(laid, purpose), digest=told.digest, signed=told.signed)
                since_ = "the contract without the overlay", since(before or contract, laid, purpose)
            covered = "exactly this" if overlay is None else "the contract, of which this is a part"
            _one(told, *since_, covered=covered, today=today, as_json=as_json)
            signed = told.signed
    findings = load(contract_dir, as_of=today, overlay=overlay).findings
    if unfit := sum(found.severity is Severity.ERROR and found.check not in _UNSIGNED for found in findings):
        click.echo(f"Other errors: {unfit}. `pipelines validate` names them; sign when there are none.", err=True)
    if unfit or not signed:
        raise click.exceptions.Exit(Exit.FINDINGS)


def _receipt_of(contract: Contract, name: str) -> Callable[[Contract, str], Receipt | PipelineReceipt]:
    """How the receipt is made of what a person asks for: a purpose, or the topics that serve none.

    Raises:
        Trouble: (exit 2) these topics have no review in this contract.
    """
    if name in contract.pipeline_topics:
        return pipeline_receipt
    if name in SUBJECTS and name not in contract.purposes:
        hint = "`pipelines review` prints the lines to write into it."
        raise Trouble(f"no review of {name!r}: there is no {PIPELINE_TOPICS}", hint=hint, exit_code=Exit.USAGE)
    return receipt


def _since(
    name: str,
    told: Receipt | PipelineReceipt,
    contract: Contract,
    before: Contract | None,
    root: Path | None,
    today: date,
) -> tuple[str, tuple[Change, ...] | None]:
    """What is compared with, in words, and the changes; None when the signed state is not known.

    `root` is where to run git; None for not at all.
    """
    if before is not None:
        there = name in before.purposes or name in before.pipeline_topics
        missing = f"the named contract, which has no {'such purpose' if isinstance(told, Receipt) else 'such review'}"
        return "the named contract" if there else missing, _changes(before, contract, name)
    if told.signed:
        return "what was signed", ()
    if not told.covers:
        return f"nothing: no review covers {'this purpose' if isinstance(told, Receipt) else 'these topics'} yet", None
    if root is None:
        return "what was signed: only --history looks for that state, in git", None
    states, why = signed_states(root, {name: told.covers}, as_of=today)
    if (state := states.get(name)) is not None:
        day = state.day or "an unreadable date"
        signed = f"what was signed, in commit {state.commit[:12]} of {day}"
        return signed, _changes(state.contract, contract, name)
    return f"what was signed, which cannot be shown: {why}", None


def _changes(old: Contract, new: Contract, purpose: str) -> tuple[Change, ...]:
    return (*since(old, new, purpose), *accepted_since(old, new, purpose))


def _all(contract: Contract, today: date, as_json: bool) -> bool:
    told = [receipt(contract, name) for name in contract.purposes]
    topics = [pipeline_receipt(contract, subject) for subject in contract.pipeline_topics]
    signed = all(one.signed for one in told) and all(one.signed for one in topics)
    if as_json:
        brief = [{"purpose": one.purpose, "signed": one.signed, "digest": one.digest} for one in told]
        more = [{"purpose": None, "subject": one.subject, "signed": one.signed, "digest": one.digest} for one in topics]
        say_json([*brief, *more])
        return signed
    rows = [_row(one.purpose, contract.purposes[one.purpose].review, one.signed, today) for one in told]
    for topic in topics:
        review = contract.pipeline_topics[topic.subject].review
        rows.append(_row(f"({topic.subject})", review, topic.signed, today))
    make_console().print(TextTable(rows, ("purpose", "review", "until", "signed")))
    if not topics:
        print_lines_to_add(contract)
    return signed


def _row(name: str, review: Review | None, signed: bool, today: date) -> tuple[str | Text, ...]:
    until = "" if review is None else f"{review.expires}{' (expired)' if today >= review.expires else ''}"
    state = Text("yes", "green") if signed else Text("no", "bold red")
    return name, "none" if review is None else review.id, until, state


def _one(
    told: Receipt | PipelineReceipt,
    compared: str,
    changes: Sequence[Change] | None,
    *,
    covered: str,
    today: date,
    as_json: bool,
) -> None:
    if isinstance(told, PipelineReceipt):
        print_pipeline_review(told, compared, changes, covered=covered, today=today, as_json=as_json)
        return
    expired = told.expires is not None and today >= told.expires
    if as_json:
        say_review(asdict(told), compared, changes, expired=expired)
        return
    console = make_console()
    _print_receipt(console, told)
    print_since(console, compared, changes, first=not told.covers)
    if told.signed and expired:
        until = f"the review expired on {told.expires}: nothing is received until it is renewed"
        console.print(Text(f"Signed, but {until}.", "bold yellow"))
    elif told.signed:
        console.print(Text(f"Signed: the review covers {covered}.", "bold green"))
    else:
        state = "Not signed: the purpose has no review." if told.expires is None else "Not signed."
        edit = (
            "add `review: {id, approved, expires, owner, covers}` to it"
            if told.expires is None
            else "write this into its `review:`"
        )
        console.print(Text(f"{state} If you agree, {edit} in policies/purposes.yaml:", "bold red"))
    console.print(f"covers: {told.digest}")


def _print_receipt(console: Console, told: Receipt) -> None:
    console.print(Text.assemble((told.purpose, "bold"), f"  {told.description}"))
    rows = (
        ("objective", f"{told.objective} ({told.iri})"),
        ("legal basis", told.legal_basis),
        *((question.replace("_", " "), answer) for question, answer in told.answers.items()),
        ("carries", told.handle),
        ("at most", f"{counted(told.max_bits, 'bit')} in a record besides the handle"),
        ("across epochs", _across_epochs(told)),
        ("review", told.review),
    )
    console.print(TextTable(rows, indent=2, styles=("dim",)))
    for topic in told.topics:
        console.print(Text.assemble("\n→ ", (topic.name, "bold cyan")))
        readers = ", ".join(topic.consumers) or "nobody yet"
        console.print(f"  kept {topic.ttl}; events up to {topic.late} old; read by {readers}")
        for view in (view for view in told.views if view.topic == topic.name):
            bits = f"{spelled_bits(view.bits)} bits"
            console.print(Text.assemble("  of each ", (view.event, "bold"), f", its time {view.time}; {bits}"))
            fields = [(field.name, f"{field.gives}{_source(field)}") for field in view.fields]
            console.print(TextTable(fields, indent=4, styles=("green",)))


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
