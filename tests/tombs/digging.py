"""Looking for bytes on brokers' disks: in every file of their folders, and in files that are deleted and still open.

Topics of the tombs store their records uncompressed, whatever a producer sends, so the bytes lie there as they are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Look:
    """In which files what was found; incomplete when a file went away between its name and its bytes."""

    found: dict[bytes, set[str]]
    complete: bool


def look(folder: Path, topic: str, wanted: Collection[bytes]) -> Look:
    """Read what lies in the folders of a topic's partitions, on all nodes of the cluster in this folder."""
    return _search(folder, folder.glob(f"node-*/data/{topic}-*"), (), wanted)


def sweep(folder: Path, pids: Collection[int], wanted: Collection[bytes]) -> Look:
    """Read everything under the folder, and what these processes hold open although it has no name any more."""
    return _search(folder, [folder], pids, wanted)


def _search(folder: Path, tops: Iterable[Path], pids: Collection[int], wanted: Collection[bytes]) -> Look:
    found: dict[bytes, set[str]] = {canary: set() for canary in wanted}
    complete = True
    for path in (path for top in tops for path in _files(top)):
        try:
            content = Path(path).read_bytes()
        except FileNotFoundError:
            complete = False
            continue
        for canary in wanted:
            if canary in content:
                found[canary].add(os.path.relpath(path, folder))
    for name, content in _unlinked(pids):
        for canary in wanted:
            if canary in content:
                found[canary].add(name)
    return Look(found, complete)


def _files(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield f"{parent}/{name}"


def _unlinked(pids: Collection[int]) -> Iterator[tuple[str, bytes]]:
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    target = Path(entry.path).readlink().name
                    if target.endswith(" (deleted)") and ".log" in target:
                        yield f"{target} open in a broker", Path(entry.path).read_bytes()
