"""`pipelines broker start|stop|status`: the embedded Kafka of the current folder."""

from __future__ import annotations

import click

from pipelines.broker import EmbeddedKafka
from pipelines.cli.connect import BROKER_FOLDER
from pipelines.cli.options import json_option
from pipelines.cli.printing import say_json
from pipelines.trouble import Exit


@click.group()
def command() -> None:
    """Start, stop or look at the embedded Kafka of this folder (its data: .pipelines/broker)."""


@command.command()
@click.option(
    "--brokers",
    type=click.Choice(["1", "3"]),
    help="How many brokers. Default: as many as this folder had before, else 1.",
)
def start(brokers: str | None) -> None:
    """Start it in the background, and wait until it answers."""
    known = len(EmbeddedKafka(BROKER_FOLDER).pids())
    kafka = EmbeddedKafka(BROKER_FOLDER, int(brokers) if brokers else known or 1, progress=_say)
    kafka.start()
    click.echo(f"Kafka answers at {kafka.bootstrap}")


@command.command()
def stop() -> None:
    """Stop it; its data stays."""
    kafka = EmbeddedKafka(BROKER_FOLDER)
    running = any(kafka.pids().values())
    gracefully = kafka.stop()
    if not running:
        click.echo("No Kafka runs in this folder")
    else:
        click.echo("Stopped" if gracefully else "Stopped by force: it did not end in time")


@command.command()
@json_option
def status(as_json: bool) -> None:
    """Say what runs; exit 3 when not all of it does."""
    kafka = EmbeddedKafka(BROKER_FOLDER)
    pids = kafka.pids()
    state = "running" if kafka.is_running() else "partly running" if any(pids.values()) else "stopped"
    if as_json:
        nodes = [{"id": node_id, "pid": pid} for node_id, pid in pids.items()]
        found = {"state": state, "bootstrap": kafka.bootstrap if pids else None, "nodes": nodes}
        say_json(found, indent=False)
    else:
        click.echo(f"Kafka is {state}" + (f" at {kafka.bootstrap}" if any(pids.values()) else ""))
        for node_id, pid in pids.items():
            click.echo(f"  broker {node_id}: " + (f"process {pid}" if pid else "not running"))
    if state != "running":
        raise click.exceptions.Exit(Exit.UNAVAILABLE)


def _say(text: str) -> None:
    click.echo(text, err=True)
