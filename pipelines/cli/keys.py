"""`pipelines keys`: make roots ahead of need, show how far they reach, wrap them anew, migrate. Never prints a key."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipelines.cli import times
from pipelines.cli.connect import connect
from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, kafka_options, key_options, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load_valid
from pipelines.keys import (
    DEFAULT_KEK_FILE,
    DEFAULT_KEYRING,
    VERSION,
    Extension,
    Keyring,
    LocalKeyEncryption,
    epoch_start,
    epoch_text,
    extend,
    find_leftovers,
    kek_for_making,
    migrate,
    open_keyring,
    rewrap,
    sweep,
)
from pipelines.relay.settings import GROUP_PREFIX
from pipelines.text_table import TextTable
from pipelines.trouble import Exit, Trouble

if TYPE_CHECKING:
    from pipelines.broker import Cluster
    from pipelines.contract.model import Contract, Purpose

SHORT_MS: Final = 7 * 86_400_000
"""A runway below this is worth a warning: a week in which somebody must run `keys init`."""

_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN: Final = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)


def _span(ctx: click.Context, param: click.Parameter, text: str) -> int:
    """A duration such as 30d, 12h or 90m, as milliseconds."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise click.BadParameter("write a number with m, h or d, such as 30d", ctx, param)
    return int(match[1]) * _UNIT_MS[match[2]]


@click.group("keys")
def command() -> None:
    """Make the keys of the coming epochs; show how far ahead they last; rewrap them; migrate the keyring."""


@command.command()
@click.option(
    "--ahead",
    "ahead_ms",
    callback=_span,
    metavar="SPAN",
    default="30d",
    show_default=True,
    help="How far ahead to make roots.",
)
@contract_option
@overlay_option
@key_options
@json_option
def init(
    ahead_ms: int,
    contract_dir: Path,
    overlay: str | None,
    keyring_file: Path | None,
    kek_file: Path | None,
    as_json: bool,
) -> None:
    """Make the roots that are missing, for every purpose, as far back as raw events live and as far ahead as you say.

    Run it as often as you like: what is there stays as it is. Makes the key-encryption key in its default place when
    there is neither that key nor a keyring.
    """
    now_ms = times.now_ms()
    contract = _contract(contract_dir, overlay)
    kek, kek_made = kek_for_making(keyring_file, kek_file)
    path = keyring_file or DEFAULT_KEYRING
    raw_ttl_ms = max((topic.ttl_ms for topic in contract.raw_topics.values()), default=0)
    done = extend(path, kek, contract.purposes.values(), first_ms=now_ms - raw_ttl_ms, last_ms=now_ms + ahead_ms)
    keyring = Keyring.open(path, kek)
    rows = [_row(keyring, purpose, now_ms) for purpose in _purposes(contract)]
    if as_json:
        made = {"keyring": str(path), "kek_made": kek_made, "made": len(done.made), "kept": done.kept}
        made |= {"away": done.away, "returned": done.returned, "version": keyring.version}
        say_json(made | {"purposes": rows})
        return
    _say_what_was_made(done, path, kek_made=kek_made)
    _warn_of_version(keyring)
    if rows:
        least = min(rows, key=lambda row: row["runway_ms"])
        click.echo(f"Every purpose has roots for at least {span_text(least['runway_ms'])} from now.")


@command.command()
@contract_option
@overlay_option
@key_options
@json_option
def status(
    contract_dir: Path, overlay: str | None, keyring_file: Path | None, kek_file: Path | None, as_json: bool
) -> None:
    """Show every purpose's rotation, present epoch, roots and runway. Exit code 3 if one has no root for now."""
    now_ms = times.now_ms()
    contract = _contract(contract_dir, overlay)
    keyring = open_keyring(keyring_file, kek_file)
    keyring.verify()
    rows = [_row(keyring, purpose, now_ms) for purpose in _purposes(contract)]
    others = len(keyring.roots) - sum(row["roots"] for row in rows)
    leftovers = [
        str(file)
        for path in (keyring_file or DEFAULT_KEYRING, kek_file or DEFAULT_KEK_FILE)
        for file in find_leftovers(path)
    ]
    if as_json:
        state = {"keyring": str(keyring_file or DEFAULT_KEYRING), "version": keyring.version, "mark": keyring.mark}
        say_json(state | {"purposes": rows, "other_roots": others, "leftovers": leftovers})
    else:
        make_console().print(_table(rows))
        if keyring.mark:
            click.echo(f"Keyring {keyring.mark}: every host of this deployment shows this mark.")
        if others:
            click.echo(f"{others} more roots belong to purposes, rotations or incarnations that are not used any more.")
        _warn_of_version(keyring)
    states = {row["state"] for row in rows}
    if "missing" in states:
        click.echo("A purpose has no root for now: its workers stop. Run `pipelines keys init`.", err=True)
        sys.exit(Exit.UNAVAILABLE)
    if leftovers:
        click.echo(f"Other names or temporary copies of the key files: {', '.join(leftovers)}.", err=True)
        click.echo(
            "`pipelines keys init` deletes what an interrupted command left behind; delete the rest yourself.", err=True
        )
    if "short" in states:
        click.echo(f"A runway is below {span_text(SHORT_MS)}. Run `pipelines keys init`.", err=True)


@command.command("rewrap")
@click.option(
    "--new-kek-file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The key-encryption key to wrap under from now on. Created if it does not exist; an existing one is kept.",
)
@key_options
@json_option
def rewrap_command(new_kek_file: Path, keyring_file: Path | None, kek_file: Path | None, as_json: bool) -> None:
    """Put the keyring under another key-encryption key. The roots stay, and so does every handle.

    Run it as the user who owns the keyring; after an interruption, run it again. Put the new key where the workers look
    for theirs, and restart them: until then they have the roots that were there before, and none that `init` makes
    later. Back the new key up, and destroy the old one with the keyring's backups that it opens.

    \b
    Example:
      pipelines keys rewrap --new-kek-file kek.new && mv kek.new .pipelines/kek
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    path = keyring_file or DEFAULT_KEYRING
    old, new = LocalKeyEncryption.open(kek_file or DEFAULT_KEK_FILE), LocalKeyEncryption.create(new_kek_file)
    count = rewrap(path, old, new)
    sweep(kek_file or DEFAULT_KEK_FILE)  # the old key is to be destroyed: no other name of it may stay
    if as_json:
        say_json({"keyring": str(path), "rewrapped": count})
    elif count:
        click.echo(f"{path}: {count} roots are under the new key. Workers need it: {new_kek_file}")
    else:
        click.echo(f"{path}: it is under the new key already.")


@command.command("migrate")
@key_options
@kafka_options
@json_option
def migrate_command(
    keyring_file: Path | None,
    kek_file: Path | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
) -> None:
    """Write a keyring of version 1 as version 2, in which each root opens in its own place only.

    Stop all workers first: this refuses (exit code 4) while a process of this machine uses the keyring or a worker's
    consumer group in Kafka has members. Handles of epochs that have begun do not change; later epochs get new roots.
    The old file is kept beside the keyring for a rollback. Earlier releases do not read version 2. Run it as the user
    who owns the keyring; interrupted, it may be repeated.
    """
    path = keyring_file or DEFAULT_KEYRING
    kek = LocalKeyEncryption.open(kek_file or DEFAULT_KEK_FILE)
    done = migrate(
        path, kek, now_ms=times.now_ms(), check=lambda: _refuse_running_workers(connect(bootstrap, kafka_properties))
    )
    if as_json:
        backup = None if done.backup is None else str(done.backup)
        counts = {"migrated": bool(backup), "kept": len(done.kept), "made_anew": len(done.made), "backup": backup}
        say_json({"keyring": str(path), "version": VERSION} | counts)
    elif done.backup is None:
        click.echo(f"{path}: already version {VERSION}; nothing changed.")
    else:
        click.echo(f"{path}: now version {VERSION}.")
        click.echo(f"{len(done.kept)} roots of epochs that have begun stay, and so do their handles.")
        click.echo(f"{len(done.made)} roots of later epochs were made anew.")
        click.echo(f"The old file is kept for a rollback: {done.backup}")
        click.echo("Back up the new keyring and start the workers. Then delete the old file and its backups, and run")
        click.echo("`pipelines keys rewrap`: until then, a copy of the old file still opens.")


def _refuse_running_workers(cluster: Cluster) -> None:
    running = [name for name in cluster.survey().groups_with_members() if name.startswith(GROUP_PREFIX)]
    if running:
        raise Trouble(
            f"workers run: these consumer groups at {cluster.bootstrap} have members: {', '.join(running)}",
            hint="Stop every `pipelines run`, wait until their sessions have ended (10 s), then run this again.",
            exit_code=Exit.REFUSED,
        )


def _warn_of_version(keyring: Keyring) -> None:
    if keyring.version < VERSION:
        text = f"The keyring has version {keyring.version}: an attacker who learns one root can forge it."
        click.echo(f"{text} Stop the workers and run `pipelines keys migrate`.", err=True)


def span_text(span_ms: int) -> str:
    """A duration for people, rounded down: `30 d 4 h`, `5 h 12 min`, `3 min`."""
    minutes = span_ms // 60_000
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (0 if days else minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"


def _row(keyring: Keyring, purpose: Purpose, now_ms: int) -> dict[str, Any]:
    runway_ms = keyring.runway_ms(purpose, now_ms)
    return {
        "purpose": purpose.name,
        "rotate_ms": purpose.rotate_ms,
        "epoch": epoch_text(epoch_start(now_ms, purpose.rotate_ms)),
        "roots": keyring.root_count(purpose),
        "runway_ms": runway_ms,
        "state": "missing" if not runway_ms else "short" if runway_ms < SHORT_MS else "ok",
    }


def _table(rows: list[dict[str, Any]]) -> TextTable:
    cells = []
    for row in rows:
        spans = span_text(row["rotate_ms"]), span_text(row["runway_ms"])
        cells.append((row["purpose"], spans[0], row["epoch"], str(row["roots"]), spans[1], row["state"]))
    return TextTable(cells, ("purpose", "rotates", "present epoch", "roots", "runway", "state"), right=frozenset({3}))


def _say_what_was_made(done: Extension, path: Path, *, kek_made: bool) -> None:
    if kek_made:
        click.echo("Made a key-encryption key. Back it up apart from the keyring: without it the roots are lost.")
    click.echo(f"{path}: {len(done.made)} roots made, {done.kept} were there.")
    if done.away:
        click.echo(f"Not in the contract any more: {', '.join(done.away)}. If one comes back, it gets new handles.")
    if done.returned:
        click.echo(f"Back in the contract, with new handles: {', '.join(done.returned)}.")


def _contract(folder: Path, overlay: str | None) -> Contract:
    return load_valid(folder, as_of=datetime.now(UTC).date(), overlay=overlay)


def _purposes(contract: Contract) -> list[Purpose]:
    return [contract.purposes[name] for name in sorted(contract.purposes)]
