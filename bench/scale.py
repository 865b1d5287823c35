"""`python -m bench.scale`: whether CPU per event stays flat when one thing about the job grows.

Each axis has a broker of its own; its points take turns, round after round, so that a machine that gets slower makes
all of them slower.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click
import orjson

from bench.field import CONTENDERS
from bench.job import job_of_shape
from bench.rivals import MissingError
from bench.rounds import Figure, Race, Setting
from bench.shapes import Shape
from bench.stage import stage

_COPY: Final = "passthrough"


@dataclass(frozen=True, slots=True)
class Point:
    """One size on an axis: the event type, and what of the setting differs."""

    label: str
    shape: Shape = field(default_factory=Shape)
    setting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Axis:
    """What grows. `contenders` are measured at each point; `share` of the events are published."""

    what: str
    points: Sequence[Point]
    contenders: Sequence[str] = ("compiled",)
    share: float = 1.0
    broker: Mapping[str, str] = field(default_factory=dict)


# All members of a group get their first partitions at once, or the first of them would do the work of all.
_TOGETHER: Final = {"group.initial.rebalance.delay.ms": "5000"}
AXES: Final[Mapping[str, Axis]] = {
    "workers": Axis(
        "workers, 8 partitions",
        [Point(str(workers), setting={"workers": workers, "partitions": 8}) for workers in (1, 2, 4)],
        broker=_TOGETHER,
    ),
    "partitions": Axis(
        "partitions of the raw topic and of the minimized one",
        [Point(str(partitions), setting={"partitions": partitions}) for partitions in (1, 4, 16, 64)],
    ),
    "views": Axis(
        "views of the event type, beside as many copies",
        [Point(str(views), Shape(views=views)) for views in (1, 2, 4, 6)],
        ("compiled", _COPY),
        0.5,
    ),
    "bytes": Axis(
        "bytes of an event, most of them dropped, beside a copy",
        [
            Point("90", Shape(fields=6, kept=5)), Point("220", Shape()), Point("1,000", Shape(user_agent=800)),
            Point("10,000", Shape(user_agent=9_800)),
        ],
        ("compiled", _COPY),
        0.5,
    ),
    "devices": Axis(
        "devices, each as likely as any other to send the next event",
        [Point(f"{devices:,}", Shape(devices=devices)) for devices in (1_000, 10_000, 100_000, 10_000_000)],
    ),
    "fields": Axis(
        "fields of the schema, five of them kept",
        [Point(str(fields), Shape(fields=fields, kept=5)) for fields in (10, 50, 200)],
    ),
}  # fmt: skip


@click.command(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.argument("axes", nargs=-1, type=click.Choice(list(AXES)))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--events", default=80_000, show_default=True, type=click.IntRange(min=4_000), help="A round's.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all figures here.")
def main(axes: Sequence[str], rounds: int, events: int, json_file: Path | None) -> None:
    """Measure CPU per event of a worker on the compiled wheel along each of AXES; along all of them by default.

    \b
    workers     1 to 4, on eight partitions
    partitions  1 to 64
    views       1 to 6, and what a further one costs beside what a further copy costs
    bytes       90 to 10,000 an event, beside a copy
    devices     a thousand to ten million, with the hit rate of the cache of handles
    fields      10 to 200 of which five are kept

    Every output is checked as in `python -m bench`. All axes take about a quarter of an hour.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    rows: list[dict[str, Any]] = []
    for name in axes or AXES:
        try:
            measured = _along(name, AXES[name], rounds, events)
        except MissingError as why:
            raise SystemExit(f"the compiled worker takes no part: {why}") from None
        rows += measured
        click.echo(f"\n{AXES[name].what}")
        for row in measured:
            click.echo(_line(row))
        for text in _conclusions(name, measured):
            click.echo(text)
    if json_file is not None:
        json_file.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))


def _along(name: str, axis: Axis, rounds: int, events: int) -> list[dict[str, Any]]:
    contenders = [CONTENDERS[one]() for one in axis.contenders]
    figures: dict[tuple[int, str], list[Figure]] = {}
    with stage(axis.broker) as (cluster, folder):
        races = []
        for number, point in enumerate(axis.points):
            _say(f"{name} {point.label}: publishing")
            job = job_of_shape(folder / f"contract-{number}", replace(point.shape, name=f"point-{number}"))
            setting = Setting(job, cluster, f"{name}-{number}", int(events * axis.share), 4)
            races.append(Race(replace(setting, **point.setting), contenders, folder))
        for turn in range(rounds):
            for number, race in enumerate(races):
                for one in contenders:
                    _say(f"{name} {axis.points[number].label}: {one.name}, round {turn + 1} of {rounds}")
                    figures.setdefault((number, one.name), []).append(race.run(one, turn))
    return [_row(name, axis.points[number].label, its) for (number, _), its in figures.items()]


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _row(axis: str, label: str, figures: Sequence[Figure]) -> dict[str, Any]:
    cpus = [figure.cpu_us_per_event for figure in figures]
    return {
        "axis": axis, "point": label, "contender": figures[0].contender,
        "cpu_us_per_event": round(statistics.median(cpus), 2), "cpu_us_least": round(min(cpus), 2),
        "cpu_us_most": round(max(cpus), 2), "rss_mb": max(figure.rss_mb for figure in figures),
        "events_per_s": round(statistics.median(figure.events_per_s for figure in figures)),
        "hit_rate": figures[-1].hit_rate,
    }  # fmt: skip


def _line(row: Mapping[str, Any]) -> str:
    spread = f"[{row['cpu_us_least']:.2f} … {row['cpu_us_most']:.2f}]"
    text = (
        f"{row['point']:>12} {row['contender']:12} {row['cpu_us_per_event']:7.2f} µs {spread:19} {row['rss_mb']:4} MB"
    )
    return text if row["hit_rate"] is None else f"{text}  hits {row['hit_rate']:.1%}"


def _conclusions(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the points say together, of two axes on which copies run beside."""
    cpu = {(row["contender"], row["point"]): row["cpu_us_per_event"] for row in rows}
    labels = [point.label for point in AXES[name].points]
    if name == "bytes":
        return [f"{label:>12} {cpu['compiled', label] / cpu[_COPY, label]:.2f} times the copy" for label in labels]
    if name != "views":
        return []
    first, last = labels[0], labels[-1]
    more = int(last) - int(first)
    view, copy = ((cpu[who, last] - cpu[who, first]) / more for who in ("compiled", _COPY))
    return [f"a further view {view:.2f} µs, a further copy {copy:.2f} µs: {view / copy:.2f} times"]


if __name__ == "__main__":
    main()
