"""`python -m tests.audit`: run what docs/auditor.md names for each promise, and say which promises hold."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from tests.audit.promises import PAGE, ROOT, Promise, promises_of
from tests.support.long_run import commit_of

HOLDS, BROKEN, ELSEWHERE = "holds", "broken", "not run here"
_LOG_LINES = 15


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command ended with, its seconds, and the file with what it printed."""

    exit_code: int
    seconds: float
    log: Path


def verdict(promise: Promise, outcomes: Mapping[str, Outcome]) -> str:
    """Return whether a promise holds: every command that shows it ended with 0."""
    if not promise.commands:
        return ELSEWHERE
    return HOLDS if all(outcomes[command].exit_code == 0 for command in promise.commands) else BROKEN


@click.command(context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--logs",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / ".pipelines" / "audit",
    show_default=".pipelines/audit",
    help="The folder for what each command prints.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=PAGE,
    show_default="docs/auditor.md",
    help="The page with the promises.",
)
@click.option("--only", metavar="TEXT", default="", help="Only promises that contain this text.")
def main(as_json: bool, logs: Path, page: Path, only: str) -> None:
    """Run the commands of docs/auditor.md, each once, and print a verdict and a duration for each promise.

    Takes about as long as `make test`. Exit code 1: a promise does not hold; its commands' output is in --logs. A
    promise about a cluster of yours is not run here; the report names its command.

    \b
    Examples:
      make audit
      make audit ARGS='--only handles'
      make audit ARGS=--json > audit.json
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    promises = [one for one in promises_of(page.read_text(encoding="utf-8")) if only.lower() in one.text.lower()]
    if not promises:
        raise click.BadParameter(f"no promise of {page.name} contains this text.", param_hint="--only")
    commands = list(dict.fromkeys(command for promise in promises for command in promise.commands))
    logs.mkdir(parents=True, exist_ok=True)
    outcomes = dict[str, Outcome]()
    began = datetime.now(UTC)
    for number, command in enumerate(commands, 1):
        click.echo(f"{number}/{len(commands)}  {command}", err=True)
        outcomes[command] = run(command, logs / f"{number:02d}.log")
        click.echo(f"      exit code {outcomes[command].exit_code}, {outcomes[command].seconds:.0f} s", err=True)
    if as_json:
        click.echo(orjson.dumps(document(promises, outcomes, began), option=orjson.OPT_INDENT_2).decode())
    else:
        show(promises, outcomes, began)
    sys.exit(any(verdict(promise, outcomes) == BROKEN for promise in promises))


def run(command: str, log: Path) -> Outcome:
    """Run a command from the project's folder and wait for its end; what it prints goes to a file."""
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
    began = time.monotonic()
    with log.open("wb") as output:
        output.write(f"$ {command}\n".encode())
        output.flush()
        done = subprocess.run(
            words, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        )
    return Outcome(done.returncode, time.monotonic() - began, log)


def show(promises: Sequence[Promise], outcomes: Mapping[str, Outcome], began: datetime) -> None:
    """Print a table, then the last lines of what failed."""
    console = Console()
    table = Table(title=f"commit {commit_of(ROOT)}, {began:%Y-%m-%d %H:%M} UTC", title_justify="left")
    table.add_column("promise", ratio=3)
    table.add_column("verdict", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for promise in promises:
        seconds = sum(outcomes[command].seconds for command in promise.commands)
        table.add_row(promise.text, verdict(promise, outcomes), f"{seconds:.0f}" if promise.commands else "")
    console.print(table)
    for promise in promises:
        if not promise.commands:
            console.print(f"On the cluster itself: {' · '.join(promise.elsewhere)}", markup=False, soft_wrap=True)
    for command, outcome in outcomes.items():
        if outcome.exit_code:
            console.print(f"\n{command} ended with {outcome.exit_code}: {outcome.log}", markup=False, soft_wrap=True)
            last = outcome.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
            console.print("\n".join(f"  {line}" for line in last), markup=False, soft_wrap=True)


def document(promises: Sequence[Promise], outcomes: Mapping[str, Outcome], began: datetime) -> dict[str, object]:
    """Return the report for a program: seconds are those of a command, which several promises may share."""
    return {
        "commit": commit_of(ROOT),
        "began": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "promises": [
            {
                "promise": promise.text,
                "verdict": verdict(promise, outcomes),
                "commands": list(promise.commands),
                "on_your_cluster": list(promise.elsewhere),
            }
            for promise in promises
        ],
        "commands": {
            command: {"exit_code": done.exit_code, "seconds": round(done.seconds, 3), "log": str(done.log)}
            for command, done in outcomes.items()
        },
    }


if __name__ == "__main__":
    main()
