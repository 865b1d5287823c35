"""The field: who takes part, and how each is started here. One that cannot be had is told with the reason."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from bench.contest import Contender
from bench.job import ROOT
from bench.rivals import MissingError, python_of, streams_command

SCRIPTS: Final = Path(__file__).parent / "contenders"


def _script(name: str) -> str:
    return str(SCRIPTS / f"{name}.py")


@cache
def _wheel_python() -> str:
    """The interpreter of an environment with the compiled wheel of this checkout."""
    made = subprocess.run(["make", ".venv-wheel/.wheel"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    if made.returncode:
        raise MissingError(made.stderr.strip().splitlines()[-1])
    python = str(ROOT / ".venv-wheel/bin/python")
    ask = "from pipelines.minimize import compiled; raise SystemExit(not compiled())"
    if subprocess.run([python, "-P", "-c", ask], cwd="/", check=False).returncode:  # noqa: S603 - our own interpreter
        raise MissingError("no C compiler here finds Python.h")
    return python


def _ours(*, compiled: bool, reference: bool = False) -> Contender:
    name = "reference" if reference else "compiled" if compiled else "pure"
    python = _wheel_python() if compiled else sys.executable
    return Contender(
        name, [python, _script("ours")], {"compiled": compiled, "reference": reference}, 20_000 if reference else None
    )


CONTENDERS: Final[Mapping[str, Callable[[], Contender]]] = {
    "passthrough": lambda: Contender("passthrough", [sys.executable, _script("passthrough")], {}),
    "compiled": lambda: _ours(compiled=True),
    "pure": lambda: _ours(compiled=False),
    "reference": lambda: _ours(compiled=False, reference=True),
    "quix": lambda: Contender("quix", [python_of("quix"), _script("quix")], {}, 60_000),
    "faust": lambda: Contender("faust", [python_of("faust"), _script("faust_")], {}, 10_000),
    "kafka-streams": lambda: Contender("kafka-streams", streams_command(), {"java": True}),
}
