"""`python -m tests.faults`: exactly once, under faults that happen for real."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.controls import CONTROLS, GUARD_OFF
from tests.faults.plan import Wish
from tests.faults.report import Report
from tests.faults.run import Options, run

_NATURAL = click.IntRange(min=0)


@click.command(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.option("--events", default=20_000, type=click.IntRange(min=1), show_default=True, help="Raw events, at least.")
@click.option("--worker-kills", default=13, type=_NATURAL, show_default=True, help="SIGKILLs, spread over all steps.")
@click.option("--broker-kills", default=1, type=_NATURAL, show_default=True, help="SIGKILL and restart of a broker.")
@click.option("--rebalances", default=4, type=_NATURAL, show_default=True, help="A worker more or less, so often.")
@click.option("--zombies", default=2, type=_NATURAL, show_default=True, help="SIGSTOP until put out, then SIGCONT.")
@click.option("--delayed-commits", default=2, type=_NATURAL, show_default=True, help="KAFKA-17754, by a proxy.")
@click.option("--brokers", default="1", type=click.Choice(["1", "3"]), show_default=True, help="3: replicated.")
@click.option("--protocol", default="classic", type=click.Choice(["classic", "consumer"]), show_default=True)
@click.option("--workers", default=3, type=click.IntRange(2, 5), show_default=True, help="Slots, besides one extra.")
@click.option("--seed", default=1, show_default=True, help="The same seed plans the same faults.")
@click.option("--limit-s", default=3_600.0, show_default=True, help="Plan no more faults after so many seconds.")
@click.option("--control", type=click.Choice(CONTROLS), help="Break the relay (or the reading) on purpose.")
@click.option("--keep", type=click.Path(path_type=Path), help="Work in this new folder and leave it.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def main(
    events: int,
    worker_kills: int,
    broker_kills: int,
    rebalances: int,
    zombies: int,
    delayed_commits: int,
    brokers: str,
    protocol: Literal["classic", "consumer"],
    workers: int,
    seed: int,
    limit_s: float,
    control: str | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Relay events while workers and brokers die, stop and come back, and then look for any trace of it.

    Starts a Kafka of its own on this machine. Every worker is a real process; each fault waits until its worker has
    committed something. In the end the whole output is compared with what a reference computes from the raw topic: as
    multisets and in order, with what a second reader read all along, and with the books in the committed offsets.

    Exit code 1: a violation was found, or a fault that was asked for could not be done. With --control there must be
    violations; the exit code is 1 then, too.

    \b
    Examples:
      python -m tests.faults                                  about a minute
      python -m tests.faults --brokers 3 --protocol consumer  three brokers, the new group protocol
      python -m tests.faults --control offsets-outside        a relay that is not exactly-once: must fail
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    wish = Wish(events, worker_kills, broker_kills, rebalances, zombies, delayed_commits)
    if control == GUARD_OFF and not delayed_commits:
        raise click.UsageError("--control guard-off shows nothing without --delayed-commits.")
    if keep is not None and keep.exists():
        raise click.UsageError(f"--keep wants a new folder; {keep} is there already.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that brokers and workers end
    folder = keep or Path(tempfile.mkdtemp(prefix="pipelines-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(wish, int(brokers), protocol, workers, seed, control, limit_s, folder.resolve())
    try:
        report = _shown(options)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print(report)
    sys.exit(0 if report.passed else 1)


def _shown(options: Options) -> Report:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        return run(options, lambda text, share: progress.update(task, description=text, completed=share))


def _print(report: Report) -> None:
    document: dict[str, Any] = report.to_dict()
    for name, value in document.items():
        click.echo(f"{name:24} {value}")


if __name__ == "__main__":
    main()
