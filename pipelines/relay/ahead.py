"""A contract that was read ahead of need, for a worker that may have to start at once.

It is given out only while no file of the contract's folder has changed and the day is the same (a contract is valid as
of a day); otherwise the worker reads anew. So being early can save time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.trouble import Trouble

FOLDER: Final = "PIPELINES_READ_AHEAD"
"""The environment variable that names the folder; set by the supervisor for a spare process."""
OVERLAY: Final = "PIPELINES_READ_AHEAD_OVERLAY"
"""That which names the overlay; not set, or empty, for none."""

_PARTS: Final = ("topics.yaml", "policies", "schemas", "overlays")
Marks = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was read, from where, under which overlay, on which day, and how its files stood before."""

    folder: Path
    overlay: str | None
    day: date
    marks: Marks
    contract: Contract


def read_ahead() -> Ahead | None:
    """The contract that the environment names; None without one, or if it is not valid (whoever needs it says so)."""
    named = os.environ.get(FOLDER)
    if not named:
        return None
    folder, overlay, day = Path(named), os.environ.get(OVERLAY) or None, _today()
    before = marks(folder)
    try:
        return Ahead(folder, overlay, day, before, load_valid(folder, as_of=day, overlay=overlay))
    except Trouble:
        return None


def current(folder: Path, ahead: Ahead | None, overlay: str | None = None) -> Contract:
    """The valid contract in the folder, under the overlay, as of today.

    Raises:
        Trouble: it has errors (exit 1).
    """
    day = _today()
    wanted = (folder, overlay, day)
    if ahead is not None and (ahead.folder, ahead.overlay, ahead.day) == wanted and ahead.marks == marks(folder):
        return ahead.contract
    return load_valid(folder, as_of=day, overlay=overlay)


def _today() -> date:
    return datetime.now(UTC).date()


def marks(folder: Path) -> Marks:
    """Return every file's name, inode, size and times. Whoever writes a file moves its ctime, which no program can set.

    Reads no file, and follows no link.

    Raises:
        OSError: a file went away meanwhile.
    """
    return tuple(sorted(_looks(folder)))


def _looks(folder: Path) -> Iterator[tuple[str, int, int, int, int]]:
    for part in _PARTS:
        top = folder / part
        for parent, folders, files in os.walk(top):
            for name in (*folders, *files):
                yield _mark(Path(parent, name))
        if top.exists():
            yield _mark(top)


def _mark(path: Path) -> tuple[str, int, int, int, int]:
    found = path.lstat()
    return str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
