"""`pipelines singling-out`: which fields together few devices share, on a sample. Prints names and counts alone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.contract.report import counted
from pipelines.explain import find_event
from pipelines.explain.raw_file import MOST_BYTES, raw_values
from pipelines.explain.sampling import Sampler, Table
from pipelines.explain.singling import Singled, by_handle, by_record, telling
from pipelines.trouble import Exit, Trouble


@click.command("singling-out")
@click.argument("name", metavar="EVENT|TOPIC")
@click.option("--k", default=5, show_default=True, type=click.IntRange(2), help="Fewer devices than this are few.")
@click.option("--file", "file", type=click.File("rb"), help="A local sample of raw events: JSON lines, or Avro's file.")
@click.option("--simulate", type=click.IntRange(10, 200_000), metavar="N", help="N simulated events instead.")
@click.option("--devices", default=200, show_default=True, type=click.IntRange(2, 1_000_000), help="Simulated devices.")
@click.option("--version", type=int, metavar="N", help="The schema version of JSON events. Default: the newest.")
@click.option("--top", default=8, show_default=True, type=click.IntRange(1), help="How many combinations to print.")
@contract_option
@overlay_option
@json_option
def command(
    name: str,
    k: int,
    file: BinaryIO | None,
    simulate: int | None,
    devices: int,
    version: int | None,
    top: int,
    contract_dir: Path,
    overlay: str | None,
    as_json: bool,
) -> None:
    """Say which fields together few devices of a sample share.

    EVENT is an event type, and all its views are looked at; TOPIC is a minimized topic, and all event types that go to
    it are. For each view, every combination of up to three fields, and all of them, is looked at twice: record by
    record, and for all records of one handle together. Printed are field names and counts, never a value.

    The sample is a local file or simulated; this command reads no topic. A file is minimized in memory, with a key that
    ends with the command. It holds JSON, one event a line, as `pipelines try` reads it, or is an Avro container file
    written with one of the contract's schemas; 64 MiB and 200,000 events at most. Of small samples, remember that few
    devices can only mean few events.

    \b
    Examples:
      pipelines singling-out vpn.session --simulate 5000
      pipelines singling-out device-lifecycle.support --simulate 5000 --k 10
      pipelines singling-out vpn.session --file sample.avro --json
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if (file is None) == (simulate is None):
        raise click.UsageError("Name a sample: --file FILE or --simulate N.")
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    topic = name if name in contract.topics else None
    if topic is None:
        events = [find_event(contract, name).name]
    else:
        events = [event.name for event in contract.events.values() if any(v.topic == topic for v in event.views)]
    if file is not None and len(events) > 1:
        hint = f"Name one of them instead: {', '.join(events)}."
        raise Trouble(f"{name} takes several event types, and a file holds one", hint=hint, exit_code=Exit.USAGE)
    content = b"" if file is None else file.read(MOST_BYTES + 1)
    found: list[dict[str, Any]] = []
    console = make_console()
    for event in events:
        sampler = (
            _filed(contract, event, content, version)
            if simulate is None
            else _simulated(contract, event, simulate, devices)
        )
        for rows in sampler.tables:
            if topic in (None, rows.view.topic):
                looks = {"record": by_record(rows, k), "handle": by_handle(rows, k)}
                found.append(
                    {"event": event, "topic": rows.view.topic, "k": k, "malformed": sampler.malformed, **looks}
                )
                if not as_json:
                    _print(console, event, rows, sampler.malformed, looks, k, top)
    if as_json:
        say_json([_plain(one) for one in found])


def _filed(contract: Contract, event: str, content: bytes, version: int | None) -> Sampler:
    sampler = Sampler(contract, contract.events[event])
    for value in raw_values(content, contract.events[event], version):
        sampler.add(value)
    return sampler


def _simulated(contract: Contract, event: str, count: int, devices: int) -> Sampler:
    from pipelines.simulate.sample import simulated

    return simulated(contract, event, count, devices)


def _print(
    console: Console, event: str, rows: Table, malformed: int, looks: dict[str, Singled | None], k: int, top: int
) -> None:
    console.print(Text.assemble((event, "bold"), " → ", (rows.view.topic, "bold cyan")))
    left_out = sum(row is None for row in rows.rows)
    if malformed or left_out:
        console.print(Text(f"  {malformed} malformed events and {left_out} out of bounds are left out", "dim"))
    for unit, singled in looks.items():
        if singled is not None:
            _print_singled(console, unit, singled, k, top)
    console.print()


def _print_singled(console: Console, unit: str, singled: Singled, k: int, top: int) -> None:
    title = "each record on its own" if unit == "record" else "all records of one handle together"
    console.print(Text(f"  {title}: {counted(singled.units, unit)} of {counted(singled.devices, 'device')}", "bold"))
    if singled.devices < k:
        console.print(Text(f"    fewer than {counted(k, 'device')} in all: nothing can be said", "yellow"))
        return
    for shown in telling(singled)[:top]:
        share = f"{shown.devices:,} of {counted(singled.devices, 'device')}"
        console.print(
            Text.assemble(
                f"    {share:>24}",
                (f"  by {shown.rare:,} of {shown.kinds:,} values in {shown.units:,} {unit}s  ", "dim"),
                " + ".join(shown.fields),
            ),
        )
    none = sum(one.devices == 0 for one in singled.combinations)
    console.print(Text(f"    {none} of {len(singled.combinations)} combinations single out nobody", "dim"))


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {key: asdict(value) if isinstance(value, Singled) else value for key, value in found.items()}
