"""Plant Python modules in a folder, such as a contract's, that note when somebody imports them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_NOTES = """import os, sys
with open({noted!r}, "a") as noted:
    noted.write(f"{{__name__}} {{os.getpid()}}\\n")
"""


def top_level_modules_of(module: str) -> list[str]:
    """Return the top-level modules that a process has loaded once it has imported `module`; blocks for a second.

    The names that start with `_` and those of the interpreter itself are among them.
    """
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return [name for name in found.stdout.split() if name != "__main__"]


def plant(folder: Path, names: Iterable[str], noted: Path) -> None:
    """Write a module of each name, half of them as packages, that adds its name and its process's id to `noted`."""
    for number, name in enumerate(names):
        file = folder / name / "__init__.py" if number % 2 else folder / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_NOTES.format(noted=str(noted)), encoding="utf-8")


def imported(noted: Path) -> list[str]:
    """Return what was noted: a planted module's name and a process's id each."""
    return noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
