"""`pipelines quarantine list|retry`: what could not be minimized, and trying it again under the policy as it is now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from pipelines.cli.connect import connect
from pipelines.cli.console import console as make_console
from pipelines.cli.options import by_option, contract_option, json_option, kafka_options, key_options, overlay_option
from pipelines.cli.printing import say_json
from pipelines.cli.replaying import Means, batch_option, carry_out, execute_option, print_outcome, told
from pipelines.cli.times import spelled
from pipelines.contract import load_valid
from pipelines.contract.report import counted
from pipelines.envelope import Note
from pipelines.replay.lives import left_ms
from pipelines.replay.notes import Gathered, Wish, gather, never, retries
from pipelines.replay.task import Task
from pipelines.text_table import TextTable

_HOUR_MS: Final = 3_600_000
_WHOLE: Final = "all views"
_KIND: Final = ("event", "view", "code", "field")


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--event`, `--view`, `--code`: which notes. Gives `events`, `views` and `codes`."""
    for option in (
        click.option("--code", "codes", multiple=True, metavar="CODE", help="Only faults with this code."),
        click.option("--view", "views", multiple=True, metavar="TOPIC", help="Only what this view could not take."),
        click.option("--event", "events", multiple=True, metavar="EVENT", help="Only this event type."),
    ):
        command = option(command)
    return command


@click.group(short_help="Show what could not be minimized; try it again.")
def command() -> None:
    """What could not be minimized: coordinates, a code and a field's path, never a value.

    Each filter may be given several times.
    """


@command.command(name="list")
@filters
@click.option("--each", is_flag=True, help="Every note with its coordinates, not only how many there are of a kind.")
@contract_option
@overlay_option
@kafka_options
@json_option
def list_(
    events: tuple[str, ...],
    views: tuple[str, ...],
    codes: tuple[str, ...],
    each: bool,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
) -> None:
    """Show what is in quarantine, and for how many hours it can still be tried again.

    Hours are counted until the raw event may be deleted, or is too late for the topic of its view, whichever comes
    first. They are rounded down; the note itself stays longer. A fault that no change of a schema or a policy takes
    away, such as bytes that are no Avro, is told as `never`, with the reason. Reads no raw event.
    """
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    cluster = connect(bootstrap, kafka_properties)
    gathered = gather(contract, cluster, Wish(events, views, codes))
    left = left_ms(contract, cluster.admin(), (noted.note for noted in gathered.notes), int(time.time() * 1000))
    if as_json:
        say_json(_listed(gathered, left))
        return
    if each:
        _print_each(gathered, left)
    else:
        _print_kinds(left)
    _print_foreign(gathered)


@command.command()
@filters
@execute_option
@batch_option
@by_option
@contract_option
@overlay_option
@kafka_options
@key_options
@json_option
def retry(
    events: tuple[str, ...],
    views: tuple[str, ...],
    codes: tuple[str, ...],
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
    """Try noted events again, under the policy as it is now, for the views that failed and no others.

    An event that failed as a whole is tried for all its views. A record that a topic has by now is not sent again, and
    a fault that is still there is not noted again. It is a replay in all else: see `pipelines replay --help`.

    \b
    Examples:
      pipelines quarantine retry --event vpn.session             what it would do
      pipelines quarantine retry --event vpn.session --execute
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    cluster = connect(bootstrap, kafka_properties)
    gathered = gather(contract, cluster, Wish(events, views, codes))
    means = Means(contract_dir, overlay, cluster, keyring_file, kek_file, batch_events, by)
    tasks = [
        Task(event, selection) for event, selection in retries(contract, gathered, int(time.time() * 1000)).items()
    ]
    outcomes = []
    for task in tasks:
        outcome = carry_out(means, contract, task, execute=execute)
        outcomes.append(told(outcome, task, executed=execute))
        if not as_json:
            print_outcome(outcome, task, executed=execute)
    if as_json:
        document = {"notes": len(gathered.notes), "foreign": gathered.foreign, "retries": outcomes}
        say_json(document)
        return
    if not tasks:
        click.echo("Quarantine has no such notes.")
    _print_foreign(gathered)


def _listed(gathered: Gathered, left: dict[Note, int]) -> dict[str, Any]:
    notes = [
        {
            **asdict(noted.note),
            "noted": spelled(noted.noted_ms),
            "hours_left": left[noted.note] // (_HOUR_MS // 10) / 10,
            "never": never(noted.note),
        }
        for noted in gathered.notes
    ]
    return {"notes": notes, "foreign": gathered.foreign}


def _print_each(gathered: Gathered, left: dict[Note, int]) -> None:
    rows = [
        (
            f"{noted.note.topic}/{noted.note.partition}/{noted.note.offset}",
            noted.note.view or _WHOLE,
            noted.note.code,
            noted.note.path or "-",
            _said(noted.note, left[noted.note]),
        )
        for noted in gathered.notes
    ]
    if rows:
        make_console().print(TextTable(rows, ("raw event", *_KIND[1:], "can be tried again")))


def _print_kinds(left: dict[Note, int]) -> None:
    kinds: dict[tuple[str, str, str, str], list[int]] = {}
    whys: dict[tuple[str, str, str, str], str | None] = {}
    for note, rest_ms in left.items():
        kind = (note.event, note.view or _WHOLE, note.code, note.path or "-")
        kinds.setdefault(kind, []).append(rest_ms)
        whys[kind] = never(note)
    rows = []
    for kind, rests in sorted(kinds.items()):
        why = whys[kind]
        rows.append((*kind, str(len(rests)), f"never: {why}" if why else _lives(rests)))
    if not rows:
        click.echo("Quarantine has no such notes.")
        return
    make_console().print(TextTable(rows, (*_KIND, "notes", "can be tried again"), right=frozenset({4})))


def _lives(rests_ms: Iterable[int]) -> str:
    alive = sorted(rest for rest in rests_ms if rest > 0)
    if not alive:
        return "none any more"
    soonest, latest = _hours(alive[0]), _hours(alive[-1])
    return f"{len(alive)}, for {soonest}" if soonest == latest else f"{len(alive)}, for {soonest} to {latest}"


def _said(note: Note, rest_ms: int) -> str:
    why = never(note)
    return f"never: {why}" if why else _hours(rest_ms)


def _hours(rest_ms: int) -> str:
    return f"{rest_ms // (_HOUR_MS // 10) / 10:.1f} h" if rest_ms > 0 else "gone"


def _print_foreign(gathered: Gathered) -> None:
    if gathered.foreign:
        is_note = "is not a note" if gathered.foreign == 1 else "are not notes"
        records = counted(gathered.foreign, "record")
        click.echo(f"\n{records} of quarantine {is_note} of this contract's relay, and not shown.")
