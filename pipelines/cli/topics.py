"""`pipelines topics apply`: make the contract's topics, and say which existing ones are not as promised."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from pipelines.cli.connect import connect
from pipelines.cli.options import contract_option, json_option, kafka_options, overlay_option
from pipelines.contract import load_valid
from pipelines.topics.apply import Applied, apply
from pipelines.topics.live import INITIAL_DELAY_MS
from pipelines.trouble import Exit


@click.group()
def command() -> None:
    """The contract's topics, with the retention that keeps their promise."""


@command.command(name="apply")
@contract_option
@overlay_option
@kafka_options
@json_option
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@click.option(
    "--initial-delay",
    "initial_delay_ms",
    type=click.IntRange(min=0),
    default=INITIAL_DELAY_MS,
    show_default=True,
    metavar="MS",
    help="The brokers' log.initial.task.delay.ms, which they do not tell.",
)
@click.pass_context
def apply_(
    ctx: click.Context,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
    dry_run: bool,
    initial_delay_ms: int,
) -> None:
    """Create what is missing; never delete, never alter. Exit 1 when an existing topic is not as promised."""
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    cluster = connect(bootstrap, kafka_properties)
    applied = apply(contract, cluster.admin(), initial_delay_ms=initial_delay_ms, dry_run=dry_run)
    if as_json:
        click.echo(orjson.dumps(_told(applied), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(applied, dry_run=dry_run)
    ctx.exit(Exit.DONE if applied.is_clean else Exit.FINDINGS)


def _told(applied: Applied) -> dict[str, Any]:
    return {
        "created": [
            {"topic": made.name, "partitions": made.partitions, "replicas": made.replication, "settings": made.configs}
            for made in applied.created
        ],
        "breaches": list(applied.breaches),
        "differences": list(applied.differences),
    }


def _print(applied: Applied, *, dry_run: bool) -> None:
    verb = "would create" if dry_run else "created"
    for made in applied.created:
        shape = f"{made.partitions} partitions, {made.replication} replicas"
        keeps = " ".join(f"{name}={made.configs[name]}" for name in ("retention.ms", "segment.ms"))
        click.echo(f"{verb} {made.name} ({shape}, {made.configs['message.timestamp.type']}, {keeps})")
    for breach in applied.breaches:
        click.echo(f"broken promise: {breach}\n  {breach.remedy}")
    for difference in applied.differences:
        click.echo(f"differs: {difference}")
    if not applied.created and applied.is_clean:
        click.echo("Every topic is there, as promised")
