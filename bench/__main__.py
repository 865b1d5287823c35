"""`python -m bench`: how much CPU the minimizer takes, beside a plain copy, the reference and its rivals."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click
import orjson

from bench.field import CONTENDERS, MissingError
from bench.job import ROOT, job_of
from bench.rounds import Setting, row, run_rounds
from pipelines.broker import EmbeddedKafka


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--events", default=100_000, show_default=True, type=click.IntRange(min=1_000), help="Raw events a round."
)
@click.option("--views", default=1, show_default=True, type=click.IntRange(1, 3), help="How many of the event's views.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="These contenders; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all figures here.")
def main(rounds: int, events: int, views: int, partitions: int, only: tuple[str, ...], json_file: Path | None) -> None:
    """Measure."""

    def say(text: str) -> None:
        if sys.stderr.isatty():
            click.echo(text, err=True)

    chosen = []
    for name in only or CONTENDERS:
        try:
            chosen.append(CONTENDERS[name]())
        except MissingError as why:
            click.echo(f"{name} takes no part: {why}", err=True)
    folder = Path(tempfile.mkdtemp(prefix="pipelines-bench-"))
    kafka = EmbeddedKafka(folder / "kafka")
    kafka.start()
    try:
        setting = Setting(job_of(ROOT, "vpn.session", views), kafka.cluster, "bench", events, partitions)
        figures = run_rounds(setting, chosen, rounds, folder, say)
    finally:
        kafka.stop()
    rows = [row(one.name, figures) for one in chosen]
    for one in rows:
        click.echo(
            f"{one['contender']:14} {one['cpu_us_per_event']:8.2f} µs [{one['cpu_us_least']:.2f} … {one['cpu_us_most']:.2f}] {one['events_per_s']:8,} /s {one['rss_mb']:5} MB"
        )
    if json_file is not None:
        json_file.write_bytes(orjson.dumps({"rows": rows}, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
