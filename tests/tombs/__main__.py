"""`python -m tests.tombs`: after the promise, the bytes are gone from disk."""

from __future__ import annotations

import faulthandler
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from pipelines.relay.logs import configure
from tests.tombs.grave import Grave
from tests.tombs.rounds import CONTROLS, KINDS, run
from tests.tombs.yard import RETENTION_MS, SEGMENT_MS, TIMES


@click.command(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=1, type=click.IntRange(min=1), show_default=True, help="Each over all kinds.")
@click.option("--at-once", default=1, type=click.IntRange(1, 8), show_default=True, help="So many rounds at a time.")
@click.option("--kind", "names", multiple=True, type=click.Choice([*KINDS]), help="Only this kind; may be repeated.")
@click.option("--control", multiple=True, type=click.Choice([*CONTROLS]), help="Also a topic that breaks its promise.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def main(rounds: int, at_once: int, names: tuple[str, ...], control: tuple[str, ...], as_json: bool) -> None:
    """Write canaries into topics with short promises, and search the brokers' disks until they are gone.

    Starts five brokers of its own on this machine. A round takes about a minute and buries a canary of every kind at
    once. Interrupted, it reports the rounds that are over. Exit code 1: bytes were there after their worst case or TTL,
    or were never found at all. With --control there must be such bytes; the exit code is 1 then, too.

    \b
    Examples:
      python -m tests.tombs                              one round
      python -m tests.tombs --rounds 20 --json           twenty, for a report
      python -m tests.tombs --kind busy --control compacted   must fail
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that brokers end
    configure("tombs")  # what workers and replays say goes to standard error
    faulthandler.register(signal.SIGUSR1)  # where it stands, for whoever finds it standing
    folder = Path(tempfile.mkdtemp(prefix="pipelines-tombs-"))
    graves = list[Grave]()
    try:
        _collect(graves, run(folder, rounds, [*(names or KINDS), *control], at_once), rounds)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(_document(graves), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print(graves)
    sys.exit(0 if graves and all(grave.kept for grave in graves) else 1)


def _collect(graves: list[Grave], dug: Iterator[list[Grave]], rounds: int) -> None:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("rounds", total=rounds)
        for over in dug:
            graves += over
            progress.advance(bar)


def _document(graves: list[Grave]) -> dict[str, object]:
    rounds = max((grave.round for grave in graves), default=0)
    whole = sum(all(grave.kept for grave in graves if grave.round == number) for number in range(1, rounds + 1))
    return {
        "settings": {
            "retention_ms": RETENTION_MS,
            "segment_ms": SEGMENT_MS,
            **{name: getattr(TIMES, name) for name in TIMES.__dataclass_fields__},
        },
        "rounds": rounds,
        "rounds_kept": whole,
        "graves": [grave.to_dict() for grave in graves],
    }


def _print(graves: list[Grave]) -> None:
    click.echo(f"{'round':>5}  {'kind':16}  {'worst case':>10}  {'last byte gone':>14}  {'files':>5}")
    for grave in graves:
        gone = "not in time" if grave.last_byte_gone_s is None else f"{grave.last_byte_gone_s:.1f} s"
        verdict = "" if grave.kept else f"  BREACH {grave.fault or ''}"
        click.echo(
            f"{grave.round:>5}  {grave.kind:16}  {grave.worst_ms / 1000:>8.1f} s  {gone:>14}  "
            f"{len(grave.files):>5}{verdict}"
        )


if __name__ == "__main__":
    main()
