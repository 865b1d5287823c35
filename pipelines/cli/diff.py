"""`pipelines diff`: tell what changed between two contracts. The comparison itself is `pipelines.contract`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.findings import plain_finding, print_left_out
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import Loaded, load
from pipelines.contract.changes import Change, Direction, compare_readable
from pipelines.contract.changes.revisions import checked_out
from pipelines.contract.findings import Finding, Severity
from pipelines.contract.model import Contract
from pipelines.contract.unread import Unread
from pipelines.explain.markdown import HEADINGS, markdown
from pipelines.trouble import Exit, Trouble

_SHOWN = 5
_STYLES = {Direction.WORSE: "bold red", Direction.BETTER: "green", Direction.NEUTRAL: "dim"}


@click.command("diff")
@click.argument("old")
@click.argument("new", required=False)
@contract_option
@overlay_option
@json_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown for a pull request.")
def command(
    old: str, new: str | None, contract_dir: Path, overlay: str | None, as_json: bool, as_markdown: bool
) -> None:
    """Compare two contracts: what makes privacy worse, what better, what neither, and why.

    OLD and NEW are folders, or revisions of the git repository that holds the contract's folder. Git runs for a
    revision alone, without the repository's own settings. NEW is the contract's folder as it is now, unless it is
    named. An overlay is laid over NEW alone. What cannot be compared counts as worse, and says so.

    Of a contract with errors, what could be read is compared. What could not be read on one side is left out on both
    and named, after the errors that stand in the way.

    \b
    Examples:
      pipelines diff main                      what a branch changes, as it lies in the folder
      pipelines diff v1 v2 --markdown          between two revisions, for a pull request
      pipelines diff ../before . --json
      pipelines diff . --overlay strict        what an overlay changes

    Exit codes: 0 nothing gets worse, 1 something does or could not be read, 2 one of the two is no contract.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown cannot be combined.")
    with ExitStack() as stack:
        before = _read(old, contract_dir, stack)
        after = _read(str(contract_dir) if new is None else new, contract_dir, stack, overlay)
    shown = new or "now"
    changes = compare_readable((before.contract, before.unread), (after.contract, after.unread))
    worse = sum(change.direction is Direction.WORSE for change in changes)
    errors = {old: before.errors, shown: after.errors}
    left_out = tuple(sorted({*before.unread.spelled(), *after.unread.spelled()}))
    if as_json:
        say_json({"worse": worse, "changes": [plain(one) for one in changes], **_plain_errors(errors, left_out)})
    elif as_markdown:
        click.echo(markdown(changes, old, shown, errors, left_out), nl=False)
    else:
        console = make_console()
        show(console, changes)
        _show_errors(console, errors, left_out)
    if worse or left_out or any(errors.values()):
        raise click.exceptions.Exit(Exit.FINDINGS)


@dataclass(frozen=True, slots=True)
class _Read:
    """A contract as far as it could be read, what could not, and the errors that stood in the way."""

    contract: Contract
    unread: Unread
    errors: tuple[Finding, ...]


def _read(named: str, contract_dir: Path, stack: ExitStack, overlay: str | None = None) -> _Read:
    """Read the contract in a folder or of a revision, as far as it can be.

    Raises:
        Trouble: (exit 2) it is neither, or nothing of a contract is there.
    """
    folder = Path(named) if Path(named).is_dir() else stack.enter_context(checked_out(contract_dir, named))
    loaded = load(folder, as_of=datetime.now(UTC).date(), overlay=overlay)
    if loaded.readable is None:
        raise _no_contract(named, loaded)
    errors = () if loaded.contract is not None else tuple(_errors(loaded))
    return _Read(loaded.readable, loaded.unread, errors)


def _errors(loaded: Loaded) -> list[Finding]:
    return [found for found in loaded.findings if found.severity is Severity.ERROR]


def _no_contract(named: str, loaded: Loaded) -> Trouble:
    errors = _errors(loaded)
    said = "".join(f"\n  {found.position}: {found.message} [{found.check}]" for found in errors[:_SHOWN])
    more = f"\n  … and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    hint = "Fix it, or compare with a state that can be read; `pipelines validate` says more."
    return Trouble(f"{named!r} cannot be read as a contract{said}{more}", hint=hint, exit_code=Exit.USAGE)


def _plain_errors(errors: Mapping[str, Sequence[Finding]], left_out: Sequence[str]) -> dict[str, object]:
    """The errors and what was left out; nothing where all was read."""
    found = [{"contract": name, **plain_finding(one)} for name, some in errors.items() for one in some]
    return {"findings": found, "left_out": left_out} if found or left_out else {}


def _show_errors(console: Console, errors: Mapping[str, Sequence[Finding]], left_out: Sequence[str]) -> None:
    for name, found in errors.items():
        if found:
            console.print(Text(f"\nErrors in {name} ({len(found)})", "bold red"))
        for one in found:
            console.print(Text(f"  {one.position}: {one.message} [{one.check}]"))
    print_left_out(console, left_out)


def contract_of(named: str, contract_dir: Path, stack: ExitStack, overlay: str | None = None) -> Contract:
    """The contract in a folder, or that of a revision; with the overlay of that name in it, if one is named.

    Raises:
        Trouble: (exit 2) it is neither, or cannot be read as a contract; the first errors are named.
    """
    folder = Path(named) if Path(named).is_dir() else stack.enter_context(checked_out(contract_dir, named))
    loaded = load(folder, as_of=datetime.now(UTC).date(), overlay=overlay)
    if loaded.contract is None:
        raise _no_contract(named, loaded)
    return loaded.contract


def plain(change: Change) -> dict[str, object]:
    """A change for a program to read."""
    return {
        "direction": change.direction,
        "where": change.where,
        "what": change.what,
        "why": change.why,
        "purposes": sorted(change.purposes),
        "received": change.received,
    }


def show(console: Console, changes: Sequence[Change]) -> None:
    """Print changes for a person, the worse ones first."""
    for direction, heading in HEADINGS.items():
        found = [change for change in changes if change.direction is direction]
        if found:
            console.print(Text(f"{heading} ({len(found)})", _STYLES[direction]))
        for change in found:
            console.print(Text.assemble("  ", (change.where, "cyan")))
            said = Text.assemble(change.what, (f"  - {change.why}", "dim"))
            console.print(Text("      ").append_text(said))
    if not changes:
        console.print("Nothing changes.")
