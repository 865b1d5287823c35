"""`pipelines lint-sample`: whether values of a local sample contradict the classes of their fields. Prints no value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load_for_building
from pipelines.contract.report import counted
from pipelines.explain import find_event
from pipelines.explain.lint import PATTERNS, Linted, LintFinding, lint
from pipelines.explain.raw_file import MOST_BYTES, raw_values
from pipelines.trouble import Exit


def _accepted(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    pairs = [value.rpartition(":") for value in values]
    for path, _, pattern in pairs:
        if not path or pattern not in PATTERNS:
            raise click.BadParameter(f"write PATH:PATTERN, with a pattern of: {', '.join(PATTERNS)}.")
    return frozenset((path, pattern) for path, _, pattern in pairs)


@click.command("lint-sample")
@click.argument("event")
@click.argument("file", type=click.File("rb"))
@click.option("--version", type=int, metavar="N", help="The schema version of JSON events. Default: the newest.")
@click.option(
    "--accept",
    multiple=True,
    metavar="PATH:PATTERN",
    callback=_accepted,
    help="A field that may look like that, as a reviewer agreed. Can be repeated.",
)
@contract_option
@overlay_option
@json_option
def command(
    event: str,
    file: BinaryIO,
    version: int | None,
    accept: frozenset[tuple[str, str]],
    contract_dir: Path,
    overlay: str | None,
    as_json: bool,
) -> None:
    """Say which values of a sample contradict the class of their field.

    EVENT is an event type; FILE (- for standard input) is a local sample of raw events: JSON, one event or one a line,
    as `pipelines try` reads it, the bytes of one Kafka value, or an Avro container file; 64 MiB and 200,000 events at
    most. No topic is read.

    Every field is looked at that is not content or a credential. Its values are compared with formats: addresses of
    IP, MAC and e-mail, UUIDs, IMEI, IMSI and IBAN with their check digits, telephone numbers, URLs, names of hosts,
    credentials, coordinates. A field is found when its class is looser than what its values look like: an address in
    `metadata`, a token in an identifier. Fields of class metadata are also found when their values look drawn at
    random, hardly repeat, or stay with one device each, as identifiers do; that takes 10, 50 and 300 values.

    Printed are paths, names of patterns and counts, never a value. Looks deceive, both ways: what is found is a
    question to the producer, and what is not found may still be what it should not.

    \b
    Examples:
      pipelines lint-sample vpn.session docs/examples/vpn.session.json
      pipelines lint-sample vpn.session - --json < docs/examples/vpn.session.json
      pipelines lint-sample vpn.session docs/examples/vpn.session.json --accept client.app_version:ipv4

    Exit codes: 0 nothing contradicts, 1 something does.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    contract = load_for_building(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    event_type = find_event(contract, event)
    console = make_console()
    with make_console(stderr=True).status("Looking at the sample …"):  # on a terminal only
        linted = lint(event_type, raw_values(file.read(MOST_BYTES + 1), event_type, version))
    found = [one for one in linted.findings if (one.path, one.pattern) not in accept]
    if as_json:
        told = {"event": event, "events": linted.events, "fields": linted.fields, "findings": _plain(found)}
        say_json(told)
    else:
        _print(console, event, linted, found)
    if found:
        raise click.exceptions.Exit(Exit.FINDINGS)


def _plain(found: list[LintFinding]) -> list[dict[str, Any]]:
    return [
        {
            "path": one.path,
            "class": one.class_,
            "pattern": one.pattern,
            "belongs_to": one.belongs,
            "matching": one.matching,
            "values": one.values,
        }
        for one in found
    ]


def _print(console: Console, event: str, linted: Linted, found: list[LintFinding]) -> None:
    for one in found:
        head = Text.assemble((one.path, "bold"), f" ({one.class_})  ", (one.pattern, "red"))
        console.print(head.append(f"  {one.matching:,} of {one.values:,} values"))
        console.print(Text(f"    {one.says}", "dim"))
        fix = f"    -> Class it {one.belongs} or stricter; or fix what is sent; or accept it: {one.path}:{one.pattern}"
        console.print(Text(fix, "green"))
    looked = f"{counted(linted.events, 'event')} of {event}, {counted(linted.fields, 'field')} with values"
    verdict = f"{len(found)} finding{'s' * (len(found) != 1)} in {looked}."
    console.print(Text(verdict, "bold red" if found else "bold green"))
