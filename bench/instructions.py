"""Instruction counts of the compiled core, which a busy machine does not change: a steady check against a baseline.

python -m bench.instructions            compare with bench/instructions.json
python -m bench.instructions --write    renew it, after a change that is meant to cost or save

Runs the core (contenders/core.py: from a polled message to what a producer is given, 1,000 events a batch) on the
compiled wheel under valgrind's callgrind. Counted is what lies between two marks after a warm-up: start-up, the
contract and the garbage collector are not in it, so two counts differ by less than 0.1 %. Exit code 0 within the
tolerance, 1 outside it, and 0 with the reason where valgrind or a compiler is missing or the baseline is another
machine's.
"""

from __future__ import annotations

import pickle
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import orjson

from bench.contenders.core import EVENTS
from bench.field import CONTENDERS
from bench.job import job_of_shape
from bench.rivals import MissingError
from bench.shapes import Shape

BASELINE: Final = Path(__file__).with_suffix(".json")
TOLERANCE: Final = 0.02
CASES: Final = {"one view": Shape(devices=50), "three views": Shape(views=3, devices=50)}
_POOL: Final = 100
_SCRIPT: Final = Path(__file__).parent / "contenders/core.py"
_MARKED: Final = 2  # callgrind writes a file at each mark: what was before the first, what is between the two …

Counts = dict[str, Any]


class NotComparableError(Exception):
    """There is nothing to compare; the text says why."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--write", is_flag=True, help="Keep the counts as the baseline.")
def main(*, write: bool) -> None:
    """Count the instructions of one event, and compare them with the baseline."""
    try:
        counts = count(CONTENDERS["compiled"]().command[0])
        if write:
            BASELINE.write_bytes(orjson.dumps(counts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        found = compare(counts, baseline())
    except (MissingError, NotComparableError) as why:
        click.echo(f"skipped: {why}")
        return
    for line in found:
        click.echo(line)
    if any(line.endswith(_BEYOND) for line in found):
        click.echo("If that is meant, renew the baseline with --write.")
        sys.exit(1)


_BEYOND: Final = f"more than {TOLERANCE:.0%} away"


def baseline() -> Counts:
    """The baseline that the repository keeps."""
    document: Counts = orjson.loads(BASELINE.read_bytes())
    return document


def compare(counts: Mapping[str, Any], kept: Mapping[str, Any]) -> list[str]:
    """A line a case; one that is beyond the tolerance, in either direction, says so at its end.

    Raises:
        NotComparableError: the baseline was counted on another kind of machine.
    """
    if counts["machine"] != kept["machine"]:
        raise NotComparableError(f"the baseline is of {kept['machine']}, this is {counts['machine']}")
    lines = []
    for case in CASES:
        change = counts[case] / kept[case] - 1
        told = f"{case}: {counts[case]:,} instructions an event, {change:+.1%} of {kept[case]:,}"
        lines.append(f"{told}; {_BEYOND}" if abs(change) > TOLERANCE else told)
    return lines


def count(python: str) -> Counts:
    """The instructions of one event in each case, and what the counts depend on.

    Args:
        python: the interpreter of an environment with the compiled wheel.

    Raises:
        NotComparableError: there is no valgrind on PATH.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise NotComparableError("there is no valgrind on PATH")
    with tempfile.TemporaryDirectory() as folder:
        jobs = [job_of_shape(Path(folder, case), shape, pool=_POOL) for case, shape in CASES.items()]
        told = pickle.dumps([(job.contract, job.event, [value for _, value in job.pool]) for job in jobs])
        ended = subprocess.run(  # noqa: S603 - our own script
            [valgrind, "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--dump-before=getpgrp", "--quiet",
             python, "-P", str(_SCRIPT)],
            input=told, env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}, capture_output=True, check=False,
        )  # fmt: skip
        if ended.returncode:
            raise SystemExit(ended.stderr.decode(errors="replace")[-2_000:])
        marked = {case: Path(folder, f"out.{_MARKED * (number + 1)}") for number, case in enumerate(CASES)}
        return {"machine": _machine(python), **{case: round(_total(file) / EVENTS) for case, file in marked.items()}}


def _total(file: Path) -> int:
    found = re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("callgrind gave no count")
    return int(found[1])


def _machine(python: str) -> str:
    """What the counts depend on: the processor's kind, the interpreter's and the compiler's version."""
    compiler = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S607
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]  # noqa: S603
    return f"{platform.machine()}, Python {version}, cc {compiler}"


if __name__ == "__main__":
    main()
