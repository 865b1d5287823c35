"""`pipelines topics`: plan, apply and verify the contract's topics, and their history. Parsing and printing only."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pipelines.cli.connect import connect
from pipelines.cli.console import say_lines
from pipelines.cli.options import (
    by_option,
    contract_option,
    initial_delay_option,
    json_option,
    kafka_options,
    overlay_option,
)
from pipelines.cli.printing import json_text, say_json
from pipelines.cli.topics_history import history_
from pipelines.cli.topics_verify import verify_
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.topics.applying import Applied, apply, create_missing
from pipelines.topics.document import MOST_BYTES, document, read
from pipelines.topics.looking import look_around
from pipelines.topics.planning import Plan, offline, plan
from pipelines.topics.telling import applied_lines, plan_lines
from pipelines.trouble import Exit, Trouble


@click.group(short_help="Plan, apply and verify the contract's topics and their retention.")
def command() -> None:
    """Create, change and verify the contract's topics and their retention.

    \b
    pipelines topics apply                   create what is missing: a first cluster
    pipelines topics plan --out plan.json    what has to change; have it reviewed
    pipelines topics apply plan.json         exactly that
    pipelines topics verify                  are the promises kept?
    pipelines topics history                 who changed what, and when
    """  # noqa: D301 - click reads the backspace as "do not wrap"


@command.command(name="plan")
@contract_option
@overlay_option
@kafka_options
@json_option
@initial_delay_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Save the plan, for review and for `topics apply FILE`.",
)
@click.option(
    "--offline", "is_offline", is_flag=True, help="Ask no cluster: show the desired state, as for an empty one."
)
@click.option(
    "--brokers",
    type=click.IntRange(1, 10_000),
    default=3,
    show_default=True,
    help="With --offline: how many there are.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there is something to apply.")
@click.pass_context
def plan_(
    ctx: click.Context,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
    initial_delay_ms: int,
    out: Path | None,
    is_offline: bool,
    brokers: int,
    exit_code: bool,
) -> None:
    """Show what has to change so that the topics keep the contract's promises; change nothing.

    The most dangerous changes come first: records kept longer, new readers, new purposes, more partitions; then the
    rest. Needs the rights DESCRIBE and DESCRIBE_CONFIGS only. To find out which consumers are new it reads the topic of
    changes and the ACLs; without the rights to read these the plan says that it does not know.

    \b
    Examples:
      pipelines topics plan                    read it
      pipelines topics plan --out plan.json    and keep it for `topics apply plan.json`
      pipelines topics plan --offline          what the contract wants, without a cluster
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    contract = _contract(contract_dir, overlay)
    if is_offline:
        if out is not None:
            raise click.UsageError("A plan that was made --offline cannot be applied: leave --out away.")
        planned = offline(contract, brokers, initial_delay_ms)
    else:
        cluster = connect(bootstrap, kafka_properties)
        planned = plan(contract, look_around(contract, cluster, initial_delay_ms=initial_delay_ms))
    if out is not None:
        _save(planned, overlay, out)
    if as_json:
        say_json(document(planned, overlay))
    else:
        say_lines(plan_lines(planned, offline=is_offline))
        if out is not None:
            click.echo(f"Saved. When it is reviewed: pipelines topics apply {out}")
    ctx.exit(Exit.FINDINGS if exit_code and not planned.is_empty else Exit.DONE)


@command.command(name="apply")
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@contract_option
@overlay_option
@kafka_options
@json_option
@initial_delay_option
@click.option("--dry-run", is_flag=True, help="Without PLAN: say what would be created, and create nothing.")
@click.option(
    "--accept-loss-for", multiple=True, metavar="GROUP", help="This group may lose records that it has not read yet."
)
@by_option
@click.pass_context
def apply_(
    ctx: click.Context,
    plan_file: Path | None,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
    initial_delay_ms: int,
    dry_run: bool,
    accept_loss_for: tuple[str, ...],
    by: str,
) -> None:
    """Make the changes of a saved PLAN; without one, create the topics that are missing and change nothing else.

    Never deletes a topic, never asks. Each change is recorded in the contract's topic of changes before it is made.
    After an interruption, run it again: it continues from there. Refuses (exit 4) when the contract or the cluster
    changed since the plan was made, and when it would delete what a group has yet to read. Exit 1 when, after it,
    something is left for a person to do.
    """
    contract = _contract(contract_dir, overlay)
    cluster = connect(bootstrap, kafka_properties)
    if plan_file is not None:
        if dry_run:
            raise click.UsageError("--dry-run is for apply without PLAN: a plan says itself what would be done.")
        planned = read(_bytes(plan_file), contract, overlay)
        applied = apply(planned, contract, cluster, by, accept_loss_for=accept_loss_for)
        left = Plan(planned.contract, planned.state, (), (), planned.notices)
    else:
        planned, applied = create_missing(contract, cluster, by, initial_delay_ms=initial_delay_ms, dry_run=dry_run)
        steps = tuple(step for step in planned.steps if step not in applied.made)
        entries = tuple(entry for entry in planned.entries if any(step in steps for step in entry.steps))
        left = Plan(planned.contract, planned.state, entries, steps, planned.notices)
    if as_json:
        say_json(_told(applied, left))
    else:
        _print(applied, left, dry_run=dry_run)
    clean = left.is_empty and not any(notice.broken for notice in left.notices)
    ctx.exit(Exit.DONE if clean else Exit.FINDINGS)


command.add_command(verify_)
command.add_command(history_)


def _contract(contract_dir: Path, overlay: str | None) -> Contract:
    return load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)


def _save(planned: Plan, overlay: str | None, out: Path) -> None:
    hidden = [notice.topic for notice in planned.notices if notice.code == "hidden"]
    if hidden:
        raise Trouble(
            f"a plan that does not know the partitions of {', '.join(hidden)} cannot be applied, so it is not saved",
            hint="Grant DESCRIBE on them to this principal, or plan with another.",
        )
    out.write_text(json_text(document(planned, overlay), indent=True) + "\n", encoding="utf-8")


def _bytes(plan_file: Path) -> bytes:
    try:
        with plan_file.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as refused:
        raise Trouble(
            f"the plan {plan_file} cannot be read ({refused.strerror})",
            hint="Make one: pipelines topics plan --out FILE.",
            exit_code=Exit.USAGE,
        ) from None


def _told(applied: Applied, left: Plan) -> dict[str, Any]:
    return {
        "plan": applied.plan,
        "made": [asdict(step) for step in applied.made],
        "found_made": [asdict(step) for step in applied.found_made],
        "kept_from_ms": dict(applied.kept_from_ms),
        "held_until_ms": dict(applied.held_until_ms),
        "accepted": [asdict(loss) for loss in applied.accepted],
        "left": [asdict(step) for step in left.steps],
        "notices": [asdict(notice) for notice in left.notices],
    }


def _print(applied: Applied, left: Plan, *, dry_run: bool) -> None:
    say_lines(applied_lines(applied, dry_run=dry_run))
    if not left.is_empty or left.notices:
        click.echo("Left to do:")
        say_lines(f"  {line}".rstrip() for line in plan_lines(left))
        if not left.is_empty:
            click.echo("To do that: pipelines topics plan --out plan.json; review it; pipelines topics apply plan.json")
    elif not applied.made:
        click.echo("Every topic is there, as promised")
