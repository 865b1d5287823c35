"""Instruction counts of the compiled core, which a busy machine does not change: a steady check against a baseline.

python -m bench.instructions            compare with bench/instructions.json
python -m bench.instructions --write    renew it, after a change that is meant to cost or save

Runs the walk and the loop around it, from a polled message to a parcel, on the compiled wheel under valgrind's
callgrind, with few and with many events; the difference over the number of events is what one event takes. Exit code 0
within the tolerance, 1 outside it, and 0 with the reason where valgrind or a compiler is missing.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from bench.field import CONTENDERS
from bench.rivals import MissingError

BASELINE: Final = Path(__file__).with_suffix(".json")
TOLERANCE: Final = 0.05
_FEW, _MANY = 200, 1_200
_SCRIPT: Final = Path(__file__).parent / "contenders/core.py"
_CASES: Final = ("one view", "three views")


def main() -> int:
    """Count, and compare or write."""
    if shutil.which("valgrind") is None:
        click.echo("skipped: there is no valgrind on PATH")
        return 0
    try:
        python = CONTENDERS["compiled"]().command[0]
    except MissingError as why:
        click.echo(f"skipped: {why}")
        return 0
    counted = {"machine": _machine(python), **{case: _per_event(python, case) for case in _CASES}}
    if "--write" in sys.argv:
        BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
        click.echo(json.dumps(counted))
        return 0
    if not BASELINE.exists():
        click.echo(f"no baseline to compare with: {json.dumps(counted)}; keep it with --write")
        return 1
    return _compare(counted, json.loads(BASELINE.read_text()))


def _compare(counted: dict[str, Any], baseline: dict[str, Any]) -> int:
    if counted["machine"] != baseline["machine"]:
        click.echo(f"skipped: the baseline is of {baseline['machine']}, this is {counted['machine']}")
        return 0
    worst = 0.0
    for case in _CASES:
        change = counted[case] / baseline[case] - 1
        worst = max(worst, abs(change))
        click.echo(f"{case:12} {counted[case]:7,} instructions an event, {change:+.1%} of {baseline[case]:,}")
    if worst > TOLERANCE:
        click.echo(f"more than {TOLERANCE:.0%} from the baseline; if that is meant, renew it with --write")
        return 1
    return 0


def _machine(python: str) -> str:
    """What the count depends on: the processor's kind, the interpreter's and the compiler's version."""
    compiler = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S607
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]  # noqa: S603
    return f"{platform.machine()} python {version} cc {compiler}"


def _per_event(python: str, case: str) -> int:
    few, many = (_count(python, case, events) for events in (_FEW, _MANY))
    return round((many - few) / (_MANY - _FEW))


def _count(python: str, case: str, events: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/out",
            "--quiet",
            "--error-exitcode=9",
        ]
        ended = subprocess.run(  # noqa: S603 - our own script
            [*command, python, str(_SCRIPT), case, str(events)],
            env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise SystemExit(ended.stderr[-2_000:])
        found = re.search(r"^(?:summary|totals): (\d+)", Path(folder, "out").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("callgrind gave no count")
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
