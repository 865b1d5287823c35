"""`pipelines validate`: print what loading finds. Finds nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.budget import plain_bits, print_bits
from pipelines.cli.console import console as make_console
from pipelines.cli.findings import plain_finding, print_left_out
from pipelines.cli.options import contract_option, history_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import Loaded, load
from pipelines.contract.changes.naming import with_changes
from pipelines.contract.deployments import Deployment, under_each_overlay
from pipelines.contract.findings import Finding, Severity
from pipelines.contract.report import counted
from pipelines.trouble import Exit

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def _today() -> date:
    return datetime.now(UTC).date()


@click.command("validate")
@contract_option
@overlay_option
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Check as of this day: which reviews and bases of TTLs will have expired by then.",
    show_default="today in UTC",
)
@click.option("--bits", is_flag=True, help="Also say how many bits a record of each view can say, and by which fields.")
@history_option
@json_option
def command(
    contract_dir: Path, overlay: str | None, as_of: datetime | None, bits: bool, history: bool, as_json: bool
) -> None:
    """Check the contract and report every error with its location and fix.

    A view that could not be read is left out and named: what only follows from its error is not reported.

    Reads topics.yaml, policies/ and schemas/, and needs no Kafka. It holds that every raw field is decided about, that
    no class of field is told more of than it allows, that every action fits its field's type and is bounded, that
    handles, topics, purposes, reviews and principals fit together, that every TTL can be kept, and that the derived
    schemas are fresh; and that each overlay in overlays/ still makes it tighter. An error stops the relay; a warning is
    for a person to judge. docs/contract.md lists all checks. Runs no other program, unless --history asks for git.

    \b
    Examples:
      pipelines validate                       the contract in this folder, and each of its overlays
      pipelines validate --as-of 2027-11-02    what will have expired by then
      pipelines validate --overlay strict      the contract under overlays/strict.yaml, and nothing else
      pipelines validate --bits                what a record can say, against each purpose's max_bits
      pipelines validate --history             names each change since a review was signed
      pipelines validate --json | jq -r '.findings[].check'

    Exit codes: 0 no errors (there may be warnings), 1 errors.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    day = _today() if as_of is None else as_of.date()
    loaded = load(contract_dir, as_of=day, overlay=overlay)
    overlays: dict[str, Deployment] | None = {}
    if overlay is None:  # a review covers the contract; what an overlay changes was not signed
        overlays = under_each_overlay(contract_dir, loaded, as_of=day)
        if history:
            loaded = replace(loaded, findings=with_changes(contract_dir, loaded, as_of=day))
    if as_json:
        say_json({"overlay": overlay, **_plain(loaded, day, overlays, bits=bits)})
    else:
        _show(loaded, day, overlay, overlays, bits=bits)
    if not loaded.valid or not all(one.loaded.valid for one in (overlays or {}).values()):
        raise click.exceptions.Exit(Exit.FINDINGS)


def _count(findings: tuple[Finding, ...], severity: Severity) -> int:
    return sum(found.severity is severity for found in findings)


def _plain(loaded: Loaded, day: date, overlays: Mapping[str, Deployment] | None, *, bits: bool) -> dict[str, object]:
    said = {"bits": None if loaded.contract is None else plain_bits(loaded.contract)} if bits else {}
    under = None if overlays is None else {name: _judged(one.loaded, one.own) for name, one in overlays.items()}
    return {"as_of": day, **_judged(loaded, loaded.findings), "overlays": under, **said}


def _judged(loaded: Loaded, shown: tuple[Finding, ...]) -> dict[str, object]:
    return {
        "valid": loaded.valid,
        "policy_version": None if loaded.contract is None else loaded.contract.policy_version,
        "errors": _count(loaded.findings, Severity.ERROR),
        "warnings": _count(loaded.findings, Severity.WARNING),
        "findings": [plain_finding(found) for found in shown],
        "left_out": loaded.unread.spelled(),
    }


def _show(
    loaded: Loaded, day: date, overlay: str | None, overlays: Mapping[str, Deployment] | None, *, bits: bool
) -> None:
    console = make_console()
    if bits and loaded.contract is not None:
        print_bits(console, loaded.contract)
    _show_findings(console, loaded.findings)
    print_left_out(console, loaded.unread.spelled())
    judged = "The contract" if overlay is None else f"The contract under the overlay {overlay}"
    console.print(_verdict(loaded, f"{judged} is %s as of {day}"))
    if overlays is None:
        console.print("Overlays were not looked at: nothing of the contract could be read.")
    for name, one in (overlays or {}).items():
        if one.own:
            console.print()
        _show_findings(console, one.own)
        console.print(_verdict(one.loaded, f"Under the overlay {name} it is %s"))


def _show_findings(console: Console, findings: tuple[Finding, ...]) -> None:
    for file, found in groupby(findings, key=lambda one: one.position.file):
        console.print(Text(file, style="bold"))
        for one in found:
            line = Text(f"  {one.position}", style="cyan")
            line.append(f"  {one.severity.value}", style=_STYLES[one.severity])
            line.append(f"  [{one.check}]", style="dim")
            console.print(line)
            console.print(f"      {one.message}")
            console.print(Text(f"      -> {one.remedy}", style="green"))
        console.print()


def _verdict(loaded: Loaded, said: str) -> Text:
    errors, warnings = _count(loaded.findings, Severity.ERROR), _count(loaded.findings, Severity.WARNING)
    tally = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    if not loaded.valid or loaded.contract is None:
        return Text(f"{said % 'not valid'}: {tally}.", style="bold red")
    contract = loaded.contract
    views = sum(len(event.views) for event in contract.events.values())
    holds = ", ".join(
        counted(number, noun)
        for noun, number in (("event type", len(contract.events)), ("view", views), ("purpose", len(contract.purposes)))
    )
    return Text(f"{said % 'valid'}: {tally}. {holds}; policy version {contract.policy_version}.", style="bold green")
