"""`pipelines try`: the minimizer on a file of events, with keys that nobody else has. Needs no broker.

Of an event that comes in it prints field names and classes; values are printed of what goes out, and of that alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import json_text, say_json
from pipelines.cli.unsigned import print_unsigned
from pipelines.contract import load_to_look_at
from pipelines.contract.actions import is_limited
from pipelines.explain import READING, UNFIT_CODES, Bench, Outgoing, Trial, find_event
from pipelines.keys import throwaway_keyring
from pipelines.minimize import FAULT_CODES
from pipelines.text_table import TextTable
from pipelines.trouble import Exit, Trouble

_MOST_BYTES: Final = 16 * 1024 * 1024
_SINGLE_OBJECT: Final = b"\xc3\x01"


def _time(ctx: click.Context, param: click.Parameter, text: str | None) -> int:
    """Milliseconds since 1970 of an RFC 3339 time or of a number; now if there is none."""
    if text is None:
        return time.time_ns() // 1_000_000
    try:
        if text.isascii() and text.isdigit():
            return round(datetime.fromtimestamp(int(text) / 1000, UTC).timestamp() * 1000)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter("write 2026-11-23T10:00:00Z, or milliseconds since 1970", ctx, param) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@click.command("try")
@click.argument("event")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--at",
    "at_ms",
    callback=_time,
    metavar="TIME",
    help="The broker time to assume; limited times are held to it. Default: now.",
)
@click.option("--version", type=int, metavar="N", help="The schema version of JSON events. Default: the newest.")
@contract_option
@overlay_option
@json_option
def command(
    event: str, file: BinaryIO, at_ms: int, version: int | None, contract_dir: Path, overlay: str | None, as_json: bool
) -> None:
    """Minimize events from a file, with a throwaway key and no broker.

    EVENT is an event type such as vpn.session. FILE (- for standard input) holds JSON, one event or one a line, or the
    bytes of one Kafka value (Avro single-object encoding). In JSON a union is the value itself; bytes are text whose
    characters are the bytes; times may be RFC 3339.

    Of the event it shows names and classes of fields, never a value; of each view's record it shows everything. The
    handles match no others: their key ends with this command. Of a purpose that nobody has signed yet it shows what
    would leave, and says UNSIGNED (in JSON, `signed` is false).

    Exit code 1: an event could not be read, or a view of it would be quarantined.
    """
    today = datetime.fromtimestamp(at_ms / 1000, UTC).date()
    found = load_to_look_at(contract_dir, as_of=today, overlay=overlay)
    contract = found.contract
    event_type = find_event(contract, event)
    bench = Bench(contract, event_type, throwaway_keyring(), at_ms=at_ms, version=version, unsigned=found.unsigned)
    trials = list(_trials(bench, _read(file)))
    if as_json:
        say_json([asdict(trial) for trial in trials])
    else:
        console = make_console()
        shown = {view.purpose for view in event_type.views}
        print_unsigned(console, found.unsigned, shown, topics=found.unsigned_topics)
        for trial in trials:
            _print(console, event, trial)
        console.print(Text("Handles and ids are made with a throwaway key: they match no others.", "dim"))
        if any(is_limited(rule.action) for view in event_type.views for rule in view.rules):
            moment = datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
            limited = f"Limited times (`within`) were held to the broker time {moment}; --at sets another."
            console.print(Text(limited, "dim"))
    if any(trial.code or any(view.code for view in trial.outgoing) for trial in trials):
        raise click.exceptions.Exit(Exit.FINDINGS)


def _read(file: BinaryIO) -> bytes:
    content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        hint = "Give it a part of the file, such as: head -n 100 FILE | pipelines try EVENT -"
        raise Trouble("the file has more than 16 MiB", hint=hint, exit_code=Exit.USAGE)
    if not content.strip():
        raise Trouble("the file is empty", hint="It holds events, one JSON object a line.", exit_code=Exit.USAGE)
    return content


def _trials(bench: Bench, content: bytes) -> Iterator[Trial]:
    if content.startswith(_SINGLE_OBJECT):
        yield bench.try_value(1, content)
        return
    for number, text in enumerate(_split(content), 1):
        yield bench.try_json(number, text)


def _split(content: bytes) -> Sequence[bytes]:
    """The events of a file: one a line, unless the first line is only the beginning of one."""
    lines = [line for line in content.splitlines() if line.strip()]
    return lines if lines[0].rstrip().endswith(b"}") else [content]


def _print(console: Console, event: str, trial: Trial) -> None:
    version = f" version {trial.version}" if trial.version is not None else ""
    console.print(Text.assemble((f"event {trial.number}", "bold"), f"  {event}{version}"))
    if trial.code is not None:
        words = (UNFIT_CODES if trial.stage == READING else FAULT_CODES).get(trial.code, "")
        what = "cannot be read" if trial.stage == READING else "goes to quarantine as a whole"
        console.print(Text.assemble("  ✗ ", (what, "red"), f": {_fault(trial.code, trial.path, words)}"))
        return
    rows = [
        ("used", [field.path for field in trial.incoming if field.fate == "used"]),
        ("only counted, or whether there", _classed(trial, "counted")),
        ("dropped", _classed(trial, "dropped")),
    ]
    _print_rows(console, 2, [(name, ", ".join(fields) or "nothing") for name, fields in rows])
    for view in trial.outgoing:
        _print_view(console, view)


def _classed(trial: Trial, fate: str) -> list[str]:
    return [f"{field.path} ({field.class_})" for field in trial.incoming if field.fate == fate]


def _print_view(console: Console, view: Outgoing) -> None:
    if view.outcome != "out":
        why = _fault(view.code, view.path, FAULT_CODES.get(view.code, "")) if view.code else "the review does not stand"
        line = Text.assemble("  ✗ ", (view.topic, "bold cyan"), "  ", (view.outcome, "red"), f": {why}")
        console.print(line.append_text(_unsigned(view)))
        return
    console.print(Text.assemble("  → ", (view.topic, "bold cyan")).append_text(_unsigned(view)))
    moment = datetime.fromtimestamp((view.timestamp_ms or 0) / 1000, UTC).isoformat().replace("+00:00", "Z")
    value = json_text(view.record)
    _print_rows(
        console, 6, [("key", view.key or "none"), ("time", moment), ("value", value), *(view.headers or {}).items()]
    )


def _unsigned(view: Outgoing) -> Text:
    return Text() if view.signed else Text("  UNSIGNED", "bold red")


def _print_rows(console: Console, indent: int, rows: list[tuple[str, str]]) -> None:
    console.print(TextTable(rows, indent=indent, styles=("dim",)))


def _fault(code: str, path: str | None, words: str) -> str:
    return f"{code}{f' at {path}' if path else ''}{f' ({words})' if words else ''}"
