"""`pipelines linkage`: what two purposes can both tell of one event, and one purpose across epochs.

Needs the contract alone, and no broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from pipelines.cli.across import acceptances, plain_across, print_across
from pipelines.cli.console import console as make_console
from pipelines.cli.options import contract_option, json_option, overlay_option
from pipelines.cli.printing import say_json
from pipelines.contract import load_valid
from pipelines.contract.bits import spelled_bits
from pipelines.contract.linkage import Shared, matrix, shared_in
from pipelines.contract.model import AcceptedLinkage, Contract
from pipelines.explain.heatmap import heatmap
from pipelines.explain.matching import Matched
from pipelines.text_table import TextTable
from pipelines.trouble import Exit, Trouble

_SHOWN: Final = 4


@click.command("linkage")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a heat map.")
@click.option(
    "--measure",
    type=click.IntRange(20, 100_000),
    metavar="N",
    help="Also match the records of N simulated events of each type, and say how often that succeeds.",
)
@click.option("--devices", default=200, show_default=True, type=click.IntRange(2, 1_000_000), help="Simulated devices.")
@click.option(
    "--acceptances",
    "as_lines",
    is_flag=True,
    help="Print only `across_epochs` for policies/linkage.yaml: what has to be accepted now, with the reasons given.",
)
@contract_option
@overlay_option
@json_option
def command(
    svg: Path | None,
    measure: int | None,
    devices: int,
    as_lines: bool,
    contract_dir: Path,
    overlay: str | None,
    as_json: bool,
) -> None:
    """Say how much two purposes share of one event, in bits.

    Every purpose has handles of its own, so nothing in a record says that two purposes' records are of one event or
    device; but what both say alike can. For every two purposes and event type it prints two numbers of bits, of all
    their topics together: what both can share if raw fields are independent of each other, and the most that they can
    share if fields depend on each other. The time of arrival counts as 1 ms, since commit markers tell it for as long
    as a topic keeps its records. Two purposes with live views that have handles share the event itself: the order of
    their records joins them. All of this is about single records; a rare kind of record, and a whole history, tell
    more.

    Below that it prints for each purpose with handles by how many bits it can match them across epochs: the key of the
    handles changes, fields that stay the same do not, and a clock that stays wrong counts to 1 ms, since the moments
    of arrival tell more of it than each record. It is an upper bound for one event of each type in each epoch; above
    the log2 of the number of devices, rotation may keep none of them apart.

    \b
    Examples:
      pipelines linkage                        the matrix, the event types behind it, and each purpose across epochs
      pipelines linkage --acceptances          `across_epochs`, to write into policies/linkage.yaml
      pipelines linkage --svg linkage.svg      as a heat map
      pipelines linkage --measure 2000         and match 2,000 simulated events of each type
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if as_lines and (overlay is not None or as_json or measure or svg is not None):
        raise click.UsageError("--acceptances prints lines for the contract's file, and goes with --contract alone.")
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    if as_lines:
        click.echo(acceptances(contract), nl=False)
        return
    everything = sorted(shared_in(contract), key=lambda one: one.rank, reverse=True)
    measured = dict(_measured(contract, everything, measure, devices)) if measure else {}
    if svg is not None:
        _write(svg, _picture(contract, everything))
    if as_json:
        say_json(_plain(contract, everything, measured))
        return
    console = make_console()
    _print_matrix(console, contract, everything)
    _print_pairs(console, contract, everything, measured)
    print_across(console, contract)


def _key(one: Shared) -> tuple[str, tuple[str, str]]:
    return one.event, one.purposes


def _measured(
    contract: Contract, everything: Sequence[Shared], count: int, devices: int
) -> Iterator[tuple[tuple[str, tuple[str, str]], Matched | None]]:
    """What the matcher does with each two purposes: of all pairs of their views, where it finds most."""
    from pipelines.explain.matching import match
    from pipelines.simulate.sample import simulated

    for event in sorted({one.event for one in everything}):
        tables = {table.view.topic: table for table in simulated(contract, event, count, devices).tables}
        for one in everything:
            if one.event == event:
                pairs = (match(tables[view.topic], tables[other.topic]) for view, other in product(*one.views))
                found = [matched for matched in pairs if matched is not None]
                yield _key(one), max(found, key=lambda matched: matched.by_all, default=None)


def _picture(contract: Contract, everything: Sequence[Shared]) -> str:
    cells = {purposes: one.bits for purposes, one in matrix(everything).items()}
    title = "Bits that two purposes share of one event"
    limit = contract.linkage.warn_above
    note = (
        f"Rounded up, raw fields independent, without the order of live views. Framed: above {limit}, a warning or "
        "accepted. White: no event type goes to both."
    )
    return heatmap(_names(everything), cells, title=title, note=note, marked_above=limit)


def _names(everything: Sequence[Shared]) -> list[str]:
    return sorted({name for one in everything for name in one.purposes})


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Trouble(
            f"{path} cannot be written: {error.strerror}", hint="Name another file.", exit_code=Exit.USAGE
        ) from None


def _agreed(contract: Contract, one: Shared) -> AcceptedLinkage | None:
    found = (entry for entry in contract.linkage.accepted if (entry.event, entry.purposes) == (one.event, one.purposes))
    return next(found, None)


def _warned(contract: Contract, one: Shared) -> bool:
    return one.above(contract.linkage.warn_above, _agreed(contract, one))


def _print_matrix(console: Console, contract: Contract, everything: Sequence[Shared]) -> None:
    names, cells = _names(everything), matrix(everything)
    rows = []
    for number, name in enumerate(names, 1):
        row = [Text(f"{number:2} {name}")]
        for other in names:
            one = cells.get((min(name, other), max(name, other)))
            bits = "" if one is None else "all" if one.by_order else f"{ceil(one.bits)}"
            warned = one is not None and one.above(contract.linkage.warn_above)
            row.append(Text("·" if name == other else bits, "bold yellow" if warned else ""))
        rows.append(row)
    head = ("most bits shared of one event", *map(str, range(1, len(names) + 1)))
    console.print(TextTable(rows, head, right=frozenset(range(1, len(head)))))
    console.print(
        Text(
            f"rounded up; all: both share the event itself; bold: above {contract.linkage.warn_above}; "
            "empty: no event type goes to both\n",
            "dim",
        ),
    )


def _print_pairs(
    console: Console, contract: Contract, everything: Sequence[Shared], measured: Mapping[Any, Matched | None]
) -> None:
    for one in everything:
        agreed, warned = _agreed(contract, one), _warned(contract, one)
        fields = ", ".join(f"{field.path} {spelled_bits(field.bits)}" for field in one.fields[:_SHOWN])
        more = f" and {len(one.fields) - _SHOWN} more" if len(one.fields) > _SHOWN else ""
        console.print(
            Text.assemble(
                (f"{spelled_bits(one.bits):>6}  ", "bold yellow" if warned else "bold"),
                (one.event, "cyan"),
                f"  {one.purposes[0]} + {one.purposes[1]}",
                ("  the event itself, by order" if one.by_order else "", "bold yellow" if warned else "bold"),
                f"  at most {spelled_bits(one.ceiling_bits)} if fields depend",
                (f"  arrival {spelled_bits(one.time_bits)}{', ' if fields else ''}{fields}{more}", "dim"),
            ),
        )
        if agreed is not None:
            console.print(Text(f"        accepted up to {agreed.spelled}: {agreed.reason}", "green"))
        if measured:
            found = measured.get(_key(one))
            said = "measured: too few simulated events are in both" if found is None else _said(found)
            console.print(Text(f"        {said}", "magenta"))


def _said(found: Matched) -> str:
    """What the matcher did with simulated events, in words."""
    said = (
        f"measured: the right record of {found.tried} in {found.by_all:.1%} of all cases "
        f"(by time alone {found.by_time:.1%}, by chance {found.chance:.1%}): {found.bits:.1f} bits"
    )
    if found.handle_found is None or found.handle_chance is None:
        return said
    return f"{said}; the right handle in {found.handle_found:.1%} (by chance {found.handle_chance:.1%})"


def _plain(contract: Contract, everything: Sequence[Shared], measured: Mapping[Any, Matched | None]) -> dict[str, Any]:
    return {
        "warn_above": contract.linkage.warn_above,
        "matrix": [
            {"purposes": purposes, "bits": one.bits, "by_order": one.by_order, "event": one.event}
            for purposes, one in matrix(everything).items()
        ],
        "pairs": [
            {
                "event": one.event,
                "purposes": one.purposes,
                "topics": one.topics,
                "by_order": one.by_order,
                "bits": one.bits,
                "ceiling_bits": one.ceiling_bits,
                "time_bits": one.time_bits,
                "fields": [{"path": field.path, "bits": field.bits} for field in one.fields],
                "warned": _warned(contract, one),
                "accepted": None
                if (agreed := _agreed(contract, one)) is None
                else {
                    "up_to": "event" if agreed.up_to is None else agreed.up_to,
                    "ceiling": agreed.ceiling or None,
                    "reason": agreed.reason,
                },
                "measured": None
                if (found := measured.get(_key(one))) is None
                else {**asdict(found), "bits": found.bits},
            }
            for one in everything
        ],
        "across_epochs": plain_across(contract),
    }
