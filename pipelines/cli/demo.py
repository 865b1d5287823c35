"""`pipelines demo`: the whole pipeline on this machine, checked."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option
from pipelines.cli.printing import say_json
from pipelines.trouble import Exit

FOLDER: Final = Path(".pipelines/demo")


@click.command("demo")
@click.option(
    "--events",
    default=20_000,
    show_default=True,
    type=click.IntRange(100, 5_000_000),
    help="How many events to simulate.",
)
@click.option(
    "--devices",
    default=200,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Of how many synthetic devices.",
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 8), help="Worker processes for each source."
)
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same events.")
@click.option(
    "--faults",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="The share of events that are faulty on purpose.",
)
@click.option("--keep", is_flag=True, help="Leave the broker, its topics and the keys for a look around.")
@click.option("--clear", "only_clear", is_flag=True, help="Only end and delete what an earlier --keep left.")
@contract_option
@json_option
def command(
    events: int,
    devices: int,
    workers: int,
    seed: int,
    faults: float,
    keep: bool,
    only_clear: bool,
    contract_dir: Path,
    as_json: bool,
) -> None:
    """Run the whole pipeline on this machine, and check what it did.

    Starts an embedded Kafka, makes topics and keys, simulates the traffic of every event type, minimizes it, and then
    reads back every byte that came out. Exit code 0 means that every check held; 1 that one did not.

    Nothing outside .pipelines/demo is touched, and unless you say --keep nothing is left there.
    """
    from pipelines.demo.interrupt import orderly_end
    from pipelines.demo.run import Plan, run
    from pipelines.demo.stage import clear

    if only_clear:
        click.echo("Cleared." if clear(FOLDER) else "There is nothing to clear.")
        return
    # A program gets one document; a person who watches it come about sees the rest beside it.
    console = make_console(stderr=as_json, whole_lines=False, quiet=as_json and not sys.stderr.isatty())
    started = time.monotonic()
    plan = Plan(
        FOLDER, contract_dir, events=events, devices=devices, workers=workers, seed=seed, faults=faults, keep=keep
    )
    with orderly_end():
        outcome = run(plan, console)
    seconds = time.monotonic() - started
    if as_json:
        document = {**outcome.document, "seconds": round(seconds, 1)}
        say_json(document)
    console.print()
    broken = sum(not check.held for check in outcome.checks)
    if broken:
        console.print(Text(f"{broken} of {len(outcome.checks)} checks are BROKEN ({seconds:.0f} s).", "bold red"))
        if not keep:
            console.print("With --keep, the topics and logs stay for a look at what happened.")
    else:
        console.print(Text(f"Every check held: {len(outcome.checks)} of them, in {seconds:.0f} s.", "bold green"))
    if keep:
        for line in _look_around(outcome.bootstrap, contract_dir, outcome.topics):
            console.out(line, highlight=False)  # lines for a shell
    if broken:
        sys.exit(Exit.FINDINGS)


def _look_around(bootstrap: str, contract_dir: Path, topics: Sequence[str]) -> Iterator[str]:
    """What to type, in this folder, to see what was kept."""
    us = "pipelines" if shutil.which("pipelines") else os.path.relpath(sys.argv[0])
    variables = {
        "PIPELINES_BOOTSTRAP": bootstrap,
        "PIPELINES_KEYRING": str(FOLDER / "keyring.json"),
        "PIPELINES_KEK_FILE": str(FOLDER / "kek"),
    }
    if contract_dir != Path():
        variables["PIPELINES_CONTRACT"] = str(contract_dir)
    yield "Kafka still runs, with everything in it. To look around:"
    for name, value in variables.items():
        yield f"  export {name}={shlex.quote(value)}"
    for topic in topics:
        yield f"  {us} consume {topic} --from-beginning --max 3"
    yield f"  {us} keys status"
    yield f"  less {FOLDER / 'workers.log'}"
    yield f"  {us} demo --clear    # ends it and deletes everything"
