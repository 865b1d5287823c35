"""The promises of docs/auditor.md, each with the commands that show it: the page is what an audit runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "auditor.md"
_ROW = re.compile(r"^\| (?!promise )(?P<promise>[^|-][^|]*) \| (?P<shown>[^|]+) \|$", re.MULTILINE)
_COMMAND = re.compile(r"`((?:make|python -m|pipelines) [^`]+)`")


@dataclass(frozen=True, slots=True)
class Promise:
    """One row: the promise in words, and the shell commands that show it.

    Attributes:
        commands: those that run here, from the project's folder.
        elsewhere: those that need a cluster which is not this machine's own.
    """

    text: str
    commands: tuple[str, ...]
    elsewhere: tuple[str, ...]


def promises_of(page: str) -> Sequence[Promise]:
    """Return the promises of a page, in its order."""
    found = []
    for row in _ROW.finditer(page):
        commands = _COMMAND.findall(row["shown"])
        here = tuple(command for command in commands if not command.startswith("pipelines "))
        found.append(Promise(row["promise"], here, tuple(command for command in commands if command not in here)))
    return found
