"""`pipelines simulate`: synthetic products publish raw events, visibly synthetic and full of canaries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.cli.connect import connect
from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, kafka_options, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load_valid
from pipelines.contract.model import DAY_MS, Contract
from pipelines.contract.report import counted
from pipelines.sdk import RawProducer
from pipelines.simulate import SimulatedEvent, Simulation
from pipelines.simulate.publishing import publish
from pipelines.text_table import TextTable
from pipelines.trouble import Exit


@click.command("simulate")
@click.option("--count", default=10_000, show_default=True, type=click.IntRange(1), help="How many events.")
@click.option("--rate", type=click.FloatRange(0.1), metavar="N", help="At most N events a second. Default: no limit.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same events.")
@click.option("--devices", default=200, show_default=True, type=click.IntRange(1, 10_000_000), help="How many devices.")
@click.option("--event", "only", multiple=True, metavar="NAME", help="Only this event type. May be repeated.")
@click.option(
    "--faults",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="The share of events that are faulty on purpose: values out of bounds, and corrupt bytes.",
)
@click.option(
    "--wait",
    "wait_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long to wait in the end for the broker's acknowledgements.",
)
@contract_option
@overlay_option
@kafka_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    count: int,
    rate: float | None,
    seed: int,
    devices: int,
    only: tuple[str, ...],
    faults: float,
    wait_s: float,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
) -> None:
    """Publish synthetic raw events of the contract's systems.

    The events cover the day before now. Every id is visibly synthetic, and whatever no view uses holds a canary, a
    unique text that may appear in no minimized topic. Ends with 3 when the broker did not acknowledge everything.
    """
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    _known(contract, only)
    cluster = connect(bootstrap, kafka_properties)
    cluster.require()
    simulation = Simulation(contract, seed=seed, devices=devices, only=only, faults=faults)
    events = simulation.events(count, start_ms=time.time_ns() // 1_000_000 - DAY_MS)
    faulty, faulty_events = Counter[str](), Counter[str]()

    def watched() -> Iterator[SimulatedEvent]:
        for event in events:
            if event.fault is not None:
                faulty[event.fault] += 1
                faulty_events[event.event] += 1
            yield event

    with RawProducer(cluster, contract) as producer, _progress() as progress:
        task = progress.add_task("simulate", total=count)
        sent = publish(watched(), producer, rate=rate, tell=lambda done: progress.update(task, completed=done))
        progress.update(task, completed=count)
        report = producer.close(wait_s)
    unacknowledged = Counter(lost.event for lost in report.unacknowledged)
    if as_json:
        outcome = {
            "acknowledged": report.acknowledged,
            "canaries": simulation.canaries_issued,
            "faulty": dict(sorted(faulty.items())),
            "faulty_events": dict(sorted(faulty_events.items())),
            "seed": seed,
            "sent": dict(sorted(sent.items())),
            "unacknowledged": dict(sorted(unacknowledged.items())),
        }
        say_json(outcome)
    else:
        _print(sent, unacknowledged, report.acknowledged)
    if unacknowledged:
        ctx.exit(Exit.UNAVAILABLE)


def _known(contract: Contract, only: tuple[str, ...]) -> None:
    unknown = [name for name in only if name not in contract.events]
    if unknown:
        known = ", ".join(sorted(contract.events))
        raise click.BadParameter(
            f"{unknown[0]!r} is not an event type of this contract; its event types are {known}", param_hint="--event"
        )


def _progress() -> Progress:
    terminal = make_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True)


def _print(sent: Counter[str], unacknowledged: Counter[str], acknowledged: int) -> None:
    rows = [
        (name, f"{sent[name]:,}", f"{unacknowledged[name]:,}" if unacknowledged[name] else "") for name in sorted(sent)
    ]
    make_console().print(TextTable(rows, ("event type", "sent", "not acknowledged"), right=frozenset({1, 2})))
    click.echo(f"{counted(acknowledged, 'event')} acknowledged, {unacknowledged.total():,} not.")
