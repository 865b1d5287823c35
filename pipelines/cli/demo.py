"""`pipelines demo`: the whole pipeline on this machine, checked."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import orjson
from rich.console import Console

from pipelines.cli.options import contract_option, json_option
from pipelines.trouble import Exit

FOLDER = Path(".pipelines/demo")


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
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same events.")
@click.option(
    "--faults",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of events that are broken on purpose.",
)
@click.option("--keep", is_flag=True, help="Leave the broker, its topics and the keys for a look around.")
@contract_option
@json_option
def command(
    events: int, devices: int, workers: int, seed: int, faults: float, keep: bool, contract_dir: Path, as_json: bool
) -> None:
    """Run the whole pipeline on this machine, and check what it did.

    Starts an embedded Kafka, makes topics and keys, simulates the traffic of every event type, minimizes it, and then
    reads back every byte that came out. Exit code 0 means that every check held; 1 that one did not.

    Nothing outside .pipelines/demo is touched, and unless you say --keep nothing is left there.
    """
    from pipelines.demo.run import Plan, run

    console = Console(stderr=True)
    started = time.monotonic()
    plan = Plan(
        FOLDER, contract_dir, events=events, devices=devices, workers=workers, seed=seed, faults=faults, keep=keep
    )
    outcome = run(plan, console)
    seconds = time.monotonic() - started
    if as_json:
        sys.stdout.buffer.write(
            orjson.dumps({**outcome.document, "seconds": round(seconds, 1)}, option=orjson.OPT_INDENT_2) + b"\n"
        )
    else:
        console.print(f"{'Every check held' if outcome.held else 'A check is BROKEN'} ({seconds:.0f} s).")
        if keep:
            console.print(outcome.look_around)
    if not outcome.held:
        sys.exit(Exit.FINDINGS)
