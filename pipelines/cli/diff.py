"""`pipelines diff`: tell what changed between two contracts. The comparison itself is `pipelines.contract`'s."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load
from pipelines.contract.changes import Change, Direction, compare
from pipelines.contract.changes.revisions import checked_out
from pipelines.contract.findings import Severity
from pipelines.contract.model import Contract
from pipelines.explain.markdown import HEADINGS, markdown
from pipelines.trouble import Exit, Trouble

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

    \b
    Examples:
      pipelines diff main                      what a branch changes, as it lies in the folder
      pipelines diff v1 v2 --markdown          between two revisions, for a pull request
      pipelines diff ../before . --json
      pipelines diff . --overlay strict        what an overlay changes

    Exit codes: 0 nothing gets worse, 1 something does, 2 one of the two is no contract.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown cannot be combined.")
    with ExitStack() as stack:
        before = contract_of(old, contract_dir, stack)
        after = contract_of(str(contract_dir) if new is None else new, contract_dir, stack, overlay)
    changes, shown = compare(before, after), new or "now"
    worse = sum(change.direction is Direction.WORSE for change in changes)
    if as_json:
        said = {"worse": worse, "changes": [plain(one) for one in changes]}
        say_json(said)
    elif as_markdown:
        click.echo(markdown(changes, old, shown), nl=False)
    else:
        show(make_console(), changes)
    if worse:
        raise click.exceptions.Exit(Exit.FINDINGS)


def contract_of(named: str, contract_dir: Path, stack: ExitStack, overlay: str | None = None) -> Contract:
    """The contract in a folder, or that of a revision; with the overlay of that name in it, if one is named.

    Raises:
        Trouble: (exit 2) it is neither, or cannot be read as a contract; the first errors are named.
    """
    folder = Path(named) if Path(named).is_dir() else stack.enter_context(checked_out(contract_dir, named))
    loaded = load(folder, as_of=datetime.now(UTC).date(), overlay=overlay)
    if loaded.contract is None:
        errors = [found for found in loaded.findings if found.severity is Severity.ERROR]
        said = "".join(f"\n  {found.position}: {found.message} [{found.check}]" for found in errors[:5])
        more = f"\n  … and {len(errors) - 5} more" if len(errors) > 5 else ""  # noqa: PLR2004 - as above
        hint = "Fix it, or compare with a state that can be read; `pipelines validate` says more."
        raise Trouble(f"{named!r} cannot be read as a contract{said}{more}", hint=hint, exit_code=Exit.USAGE)
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
