"""`pipelines topics history`: who changed or replayed what, from the topic of changes. Parsing and printing only."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.broker import records
from pipelines.cli.connect import connect
from pipelines.cli.console import say_lines
from pipelines.cli.options import contract_option, json_option, kafka_options, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.times import MOMENT
from pipelines.contract import load_valid
from pipelines.topics.history import entry, history_lines


@click.command(name="history")
@contract_option
@overlay_option
@kafka_options
@json_option
@click.option("--topic", metavar="NAME", help="Only what is about this topic.")
@click.option("--since", "since_ms", type=MOMENT, help="Only what the broker took at this time or later.")
def history_(
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
    topic: str | None,
    since_ms: int | None,
) -> None:
    """Show the record of changes: who changed or replayed what, when, and under which plan. Oldest first.

    Times are the broker's. Who did it is what that principal said of itself: only ACLs on the topic of changes make
    that sure. Records of another form are counted and not shown. Needs READ on the topic of changes.

    \b
    Examples:
      pipelines topics history
      pipelines topics history --topic audit.network-policy-review --since 2026-11-01T00:00:00Z
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    cluster = connect(bootstrap, kafka_properties)
    foreign = 0
    for message in records(cluster, contract.changes.name, begin="earliest" if since_ms is None else since_ms):
        found = entry(message.offset() or 0, message.timestamp()[1], message.value())
        if found is None:
            foreign += 1
        elif topic is None or topic in found.topics:
            if as_json:
                say_json({**found.body, "offset": found.offset, "broker_ms": found.at_ms}, indent=False)
            else:
                say_lines(history_lines(found))
    if foreign:
        click.echo(f"{foreign} record(s) in {contract.changes.name} have another form, and are not shown.", err=True)
