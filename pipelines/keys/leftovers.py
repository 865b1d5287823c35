"""Temporary files of writers that were killed: each may be another name, or another version, of a secret file.

A writer of `NAME` writes to `.NAME.<16 hexadecimal digits>` beside it, and holds flock(2) on that file until it is
gone. The kernel frees the lock when the process dies, so a temporary file whose lock is free was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from pathlib import Path
from typing import Final

_TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{16}")
_READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def find_leftovers(path: Path) -> list[Path]:
    """Return the files beside `path` that interrupted writers left behind, or live ones use just now.

    These are temporary files of `path` and of files whose names begin with its name and a dot (a new key that was moved
    to `path`, a backup of it), and every other name of the same file. Empty where the folder cannot be listed.
    """
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        inode = path.lstat().st_ino if path.exists() else None
        return sorted(
            path.parent / entry.name
            for entry in entries
            if entry.name != path.name
            and entry.is_file(follow_symlinks=False)
            and (_is_temporary(entry.name, path.name) or entry.inode() == inode)
        )
    return []


def sweep(path: Path) -> list[Path]:
    """Delete the temporary files of `path` that interrupted writers left behind, and return what is still there.

    Names that no writer of ours gives stay, such as a hard link that somebody made; so does what this user may not
    delete, and the file of a writer that still lives. Does not block.
    """
    for leftover in find_leftovers(path):
        if _TEMPORARY.fullmatch(leftover.name):
            with contextlib.suppress(OSError):
                _delete_if_abandoned(leftover)
    return find_leftovers(path)


def claim(descriptor: int) -> bool:
    """Hold an open temporary file of this process until it is closed; False if it has been swept away just now.

    On a file system without locks nothing is held.
    """
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return os.fstat(descriptor).st_nlink > 0


def _delete_if_abandoned(leftover: Path) -> None:
    descriptor = os.open(leftover, _READING)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()
            sync_folder(leftover.parent)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_temporary(name: str, of: str) -> bool:
    return name.startswith(f".{of}.") and _TEMPORARY.fullmatch(name) is not None
