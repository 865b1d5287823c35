"""`pipelines replay`: raw events that are still alive, once more through the policy as it is now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from pipelines.cli.connect import connect
from pipelines.cli.options import by_option, contract_option, json_option, kafka_options, key_options, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.replaying import Means, batch_option, carry_out, execute_option, print_outcome, told
from pipelines.cli.times import MOMENT
from pipelines.contract import load_valid
from pipelines.replay.selection import ByTime
from pipelines.replay.task import Task, event_of, views_of


@click.command(short_help="Run raw events that are still alive through the policy again.")
@click.option("--event", "name", required=True, metavar="EVENT", help="The event type, as source.event.")
@click.option("--from", "since_ms", required=True, type=MOMENT, help="The first broker time, as 2026-11-25T08:00:00Z.")
@click.option("--to", "until_ms", required=True, type=MOMENT, help="The broker time up to which, itself not included.")
@click.option("--view", "topics", multiple=True, metavar="TOPIC", help="Only to this topic; may be repeated.")
@click.option("--again", is_flag=True, help="Also send what a topic has already: values changed, the ce_id did not.")
@execute_option
@batch_option
@by_option
@contract_option
@overlay_option
@kafka_options
@key_options
@json_option
def command(
    name: str,
    since_ms: int,
    until_ms: int,
    topics: tuple[str, ...],
    again: bool,
    execute: bool,
    batch_events: int,
    by: str,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    keyring_file: Path | None,
    kek_file: Path | None,
    as_json: bool,
) -> None:
    """Run the raw events of a time range through the policy as it is now, into their topics.

    Sends what a topic does not have yet: what was quarantined, suspended, or came before the view was there. With
    --again it also sends what the topic has, for values that the old policy got wrong; consumers then get a second
    record with the same ce_id, and the one with the header ce_replay counts. Every replayed record has that header.

    Nothing lives longer for it: a record's time is the raw event's, and what has expired, or is older than the topic's
    `late`, is counted and left out. What the relay has not read yet is left to the relay.

    With --execute it is recorded in the contract's topic of changes before anything is written, and so is its end.
    Interrupt it at any time and give the same command again: it goes on, and nothing is sent twice. Needs what a worker
    needs, and READ on the minimized topics (unless --again).

    \b
    Examples:
      pipelines replay --event vpn.session --from 2026-11-25T08:00:00Z --to 2026-11-25T12:00:00Z
      pipelines replay --event vpn.session --from 2026-11-25T08:00:00Z --to 2026-11-25T12:00:00Z --execute
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if since_ms >= until_ms:
        raise click.UsageError("--from must be earlier than --to.")
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    views = views_of(event_of(contract, name), topics)
    task = Task(name, ByTime(since_ms, until_ms, views), again)
    cluster = connect(bootstrap, kafka_properties)
    means = Means(contract_dir, overlay, cluster, keyring_file, kek_file, batch_events, by)
    outcome = carry_out(means, contract, task, execute=execute)
    if as_json:
        say_json(told(outcome, task, executed=execute))
    else:
        print_outcome(outcome, task, executed=execute)
