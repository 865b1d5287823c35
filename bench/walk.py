"""`python -m bench.walk`: what the walk of one event costs, by event type and by action, beside fastavro's decode.

The measuring is pyperf's (contenders/walking.py): processes of their own, a warm-up, several values each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click
import orjson
import pyperf

from bench.contest import Contender
from bench.field import CONTENDERS
from bench.rivals import MissingError

_SCRIPT: Final = Path(__file__).parent / "contenders/walking.py"
_WHO: Final = ("compiled", "pure")
_HEAD: Final = ("case", "walk", "nothing kept", "decode", "decode / walk", "not compiled")


@click.command(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.option("--processes", default=3, show_default=True, type=click.IntRange(min=1), help="Of each case.")
@click.option("--only", multiple=True, type=click.Choice(_WHO), help="The walk compiled, or not; by default both.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows here.")
@click.option(
    "--pyperf", "folder", type=click.Path(path_type=Path, file_okay=False), help="Keep pyperf's own files here."
)
def main(processes: int, only: tuple[str, ...], json_file: Path | None, folder: Path | None) -> None:
    """Measure the walk of one event, in µs of CPU, for each event type of this contract, each action, each length.

    Columns: the walk with all views of the event type, handles not counted; the walk when nothing is kept, which is
    what guarding the bytes costs; fastavro's decode of the same bytes into a dict; decode over walk; and the walk as
    plain Python. Figures are medians over all values of all processes.

    \b
    Examples:
      python -m bench.walk                                  both, about ten minutes
      python -m bench.walk --only compiled --processes 1    a first look, two minutes
      python -m bench.walk --json walk.json --pyperf walk/  and then: pyperf stats walk/compiled.json
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    with tempfile.TemporaryDirectory() as temporary:
        kept = folder or Path(temporary)
        kept.mkdir(parents=True, exist_ok=True)
        suites = {}
        for who in only or _WHO:
            try:
                suites[who] = _measured(CONTENDERS[who](), processes, kept / f"{who}.json")
            except MissingError as why:
                click.echo(f"{who} takes no part: {why}", err=True)
    rows = rows_of(suites)
    if json_file is not None:
        json_file.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    click.echo("| " + " | ".join(_HEAD) + " |\n|" + "-|" * len(_HEAD))
    for row in rows:
        click.echo("| " + " | ".join(str(row.get(name, "")) for name in _HEAD) + " |")


def _measured(contender: Contender, processes: int, file: Path) -> dict[str, float]:
    """The medians of a run, by benchmark, in µs."""
    file.unlink(missing_ok=True)
    ended = subprocess.run(  # noqa: S603 - our own script
        [contender.command[0], str(_SCRIPT), "--processes", str(processes), "--output", str(file), "--quiet"],
        stdout=sys.stderr,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(ended.returncode)
    suite = pyperf.BenchmarkSuite.load(str(file))
    return {one.get_name(): one.median() * 1e6 for one in suite.get_benchmarks()}


def rows_of(suites: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """One row a case, in µs; decode and what keeps nothing are those of the first suite."""
    first, pure = next(iter(suites.values()), {}), suites.get("pure", {})
    rows = []
    for case in dict.fromkeys(name.rpartition(" ")[0] for name in first):
        walk, dropped, decode = (first[f"{case} {measure}"] for measure in ("walk", "pass", "decode"))
        row = {"case": case, "walk": walk, "nothing kept": dropped, "decode": decode, "decode / walk": decode / walk}
        if pure:
            row["not compiled"] = pure[f"{case} walk"]
        rows.append({name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()})
    return rows


if __name__ == "__main__":
    main()
