"""Write whole files: after an interruption there is the old content or the new one, never a mixture.

The content goes to a temporary file beside the destination, under a random name. Anybody who may write to the folder
could put a symbolic link or a FIFO at a name that they can guess, so `O_CREAT | O_EXCL | O_NOFOLLOW` also makes sure
that the temporary file is new.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LeavesFolder(OSError):  # noqa: N818 - an OSError, so that whoever reports failed writes reports this, too
    """A path below a folder goes through a symbolic link, which may lead out of the folder."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.ELOOP, f"{path} is a symbolic link, which may lead out of the folder")


def temporary_name(name: str) -> str:
    """Return a hidden name beside `name` that nobody can guess."""
    return f".{name}.{secrets.token_hex(8)}"


def open_new(path: str | Path, *, mode: int, folder: int | None = None) -> int:
    """Open a file that is not there yet for writing, and return its descriptor. Arguments and errors: `write_new`."""
    return os.open(path, _NEW, mode, dir_fd=folder)


def write_new(path: str | Path, content: bytes, *, mode: int, folder: int | None = None) -> None:
    """Write a file that is not there yet.

    Args:
        path: the file; relative to `folder` if that is given.
        content: the whole content.
        mode: the file's permissions, less the umask.
        folder: an open folder.

    Raises:
        OSError: something has this name already, a link and a FIFO included, or the file cannot be written.
    """
    with os.fdopen(open_new(path, mode=mode, folder=folder), "wb") as file:
        file.write(content)


def write_within(root: Path, path: str, content: bytes) -> None:
    """Write a file below a folder, and the folders above the file. Follows no symbolic link below `root`.

    Each folder is opened in the one above it, so exchanging a folder for a link during the call changes nothing.

    Args:
        root: the folder; may itself be a link, because the caller named it.
        path: relative to `root`, with `/`.
        content: the whole content.

    Raises:
        LeavesFolder: a part of the path is a symbolic link.
        OSError: the file cannot be written. Nothing is left beside it.
    """
    *above, name = path.split("/")
    root.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as open_folders:
        folder = _opened(str(root), None, open_folders, follow=True)
        for depth, part in enumerate(above, 1):
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=folder)
            if _is_link(part, folder):
                raise LeavesFolder("/".join(above[:depth]))
            folder = _opened(part, folder, open_folders)
        if _is_link(name, folder):
            raise LeavesFolder(path)
        temporary = temporary_name(name)
        try:
            write_new(temporary, content, mode=0o666, folder=folder)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)


def _opened(name: str, above: int | None, open_folders: contextlib.ExitStack, *, follow: bool = False) -> int:
    descriptor = os.open(name, _FOLDER & ~os.O_NOFOLLOW if follow else _FOLDER, dir_fd=above)
    open_folders.callback(os.close, descriptor)
    return descriptor


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
