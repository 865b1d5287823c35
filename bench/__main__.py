"""`python -m bench`: how much CPU the minimizer takes, beside a plain copy, the reference and its rivals."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from bench.chart import chart
from bench.contest import Contender
from bench.field import CONTENDERS
from bench.job import ROOT, job_of, job_of_shape
from bench.latency import latencies
from bench.rivals import MissingError
from bench.rounds import Setting, row, run_rounds
from bench.shapes import Shape
from bench.stage import stage
from pipelines.broker import Cluster

_FILE = click.Path(path_type=Path, dir_okay=False)


def _rate(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None or value == "half" or (value.isdecimal() and int(value) > 0):
        return value
    raise click.BadParameter("give a number of events a second, or `half`")


@click.command(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--events", default=200_000, show_default=True, type=click.IntRange(min=1_000), help="A round's.")
@click.option("--views", default=1, show_default=True, type=click.IntRange(1, 6), help="Views of the event type.")
@click.option("--fields", default=16, show_default=True, type=click.IntRange(9, 200), help="Fields of the raw event.")
@click.option("--kept", default=8, show_default=True, type=click.IntRange(1, 8), help="How many of them a view keeps.")
@click.option("--text", default=24, show_default=True, type=click.IntRange(2, 100_000), help="Bytes of a dropped text.")
@click.option("--devices", default=5_000, show_default=True, type=click.IntRange(min=1))
@click.option("--pool", default=2_000, show_default=True, type=click.IntRange(min=1), help="Distinct events.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--batch", default=2_000, show_default=True, type=click.IntRange(min=1), help="Events a transaction.")
@click.option("--linger", default=100, show_default=True, type=click.IntRange(min=0), help="ms that a batch may fill.")
@click.option("--shipped", is_flag=True, help="vpn.session of this contract, not the event type made for measuring.")
@click.option(
    "--rate", callback=_rate, help="Then measure latency at so many events a second, or at `half` of its rate."
)
@click.option("--seconds", default=10.0, show_default=True, help="For so long.")
@click.option("--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="These contenders; may be repeated.")
@click.option("--threads", is_flag=True, help="Also say which threads take the CPU time.")
@click.option("--json", "json_file", type=_FILE, help="Write all figures here.")
@click.option("--svg", "svg_file", type=_FILE, help="Draw the CPU of all contenders here.")
def main(**options: Any) -> None:
    """Run every contender on the same raw events, on one broker, in turn, and compare their CPU per event.

    The main figure is the CPU time of the client's process, all threads, per raw event, after a warm-up: it is steadier
    than wall time where others work too. A contender's output is checked record by record before its figure counts.
    Rivals get environments of their own, made on demand in the user's cache; one that cannot be had here is told with
    the reason. A contender that is slow gets fewer events.

    \b
    Examples:
      python -m bench                                             all, five rounds
      python -m bench --only passthrough --only compiled --views 3
      python -m bench --only compiled --rate half                 latency at half of its events a second
      python -m bench --only compiled --rate 20000 --linger 5     latency with short batches
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    chosen = _take_part(options["only"])
    with stage() as (cluster, folder):
        rows = _measure(_setting(options, folder, cluster), chosen, options, folder)
    for one in rows:
        click.echo(_line(one))
        for name, cpu in one["thread_us_per_event"].items() if options["threads"] else ():
            click.echo(f"  {name:14} {cpu:6.2f} µs")
    if options["json_file"] is not None:
        kept = {name: value for name, value in options.items() if not isinstance(value, Path)}
        options["json_file"].write_bytes(orjson.dumps({"options": kept, "rows": rows}, option=orjson.OPT_INDENT_2))
    if options["svg_file"] is not None:
        options["svg_file"].write_text(chart(rows))


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _take_part(only: Sequence[str]) -> list[Contender]:
    chosen = []
    for name in only or CONTENDERS:
        try:
            chosen.append(CONTENDERS[name]())
        except MissingError as why:
            click.echo(f"{name} takes no part: {why}", err=True)
    return chosen


def _setting(options: Mapping[str, Any], folder: Path, cluster: Cluster) -> Setting:
    if options["shipped"]:
        job = job_of(ROOT, "vpn.session", min(options["views"], 3), devices=options["devices"], pool=options["pool"])
    else:
        shape = Shape(options["fields"], options["kept"], options["views"], options["text"], options["devices"])
        job = job_of_shape(folder / "contract", shape, pool=options["pool"])
    return Setting(job, cluster, "bench", options["events"], options["partitions"], options["batch"], options["linger"])


def _measure(
    setting: Setting, chosen: Sequence[Contender], options: Mapping[str, Any], folder: Path
) -> list[dict[str, Any]]:
    figures = run_rounds(setting, chosen, options["rounds"], folder, _say)
    rows = [row(one.name, figures) for one in chosen]
    if options["rate"]:
        before = setting.events
        for one, its in zip(chosen, rows, strict=True):
            _say(f"latency: {one.name}")
            rate = its["events_per_s"] // 2 if options["rate"] == "half" else int(options["rate"])
            latency = latencies(setting, one, before, rate, options["seconds"], folder)
            its.update(latency)
            before += int(latency["sent"])
    return rows


def _line(one: Mapping[str, Any]) -> str:
    spread = f"[{one['cpu_us_least']:.2f} … {one['cpu_us_most']:.2f}]"
    text = f"{one['contender']:14} {one['cpu_us_per_event']:8.2f} µs {spread:20} {one['events_per_s']:8,} /s"
    late = f"  at {one['rate']:,} /s:" if "rate" in one else ""
    for name in ("p50", "p95", "p99"):
        late += f" {name} {one[f'{name}_ms']} ms" if f"{name}_ms" in one else ""
    return f"{text} {one['rss_mb']:5} MB{late}"


if __name__ == "__main__":
    main()
