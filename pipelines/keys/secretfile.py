"""Files that hold secrets: read only when nobody else may read them, written so that no crash leaves half of one.

Every refusal is Trouble that names the path and never the content.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipelines.atomic import open_new, temporary_name
from pipelines.keys.leftovers import claim, sweep, sync_folder
from pipelines.trouble import Exit, Trouble

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# Linux's O_PATH needs no right to list the folder.
_LOOKING: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)
# Linux's O_TMPFILE makes a file without a name; not every file system has it.
NAMELESS: Final[int] = getattr(os, "O_TMPFILE", 0)
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
# Non-blocking: a FIFO at this path must not hang the worker.
_READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read(path: Path, *, what: str, most_bytes: int) -> bytes | None:
    """The content of a secret file; None if there is no file.

    Raises:
        Trouble: 4 if it belongs to another user, if group or others may touch it or replace it in its folder, if it is
            a link or no plain file, or longer than `most_bytes`; 3 if it cannot be read.
    """
    try:
        descriptor = _opened(path, what)  # owner and mode are asked of the open file, not of the path
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, what, error) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(f"the {what} at {path} is no plain file", hint="Put a regular file there.")
        if status.st_uid != os.geteuid():
            raise _refused(
                f"the {what} at {path} belongs to another user (uid {status.st_uid})",
                hint="Run as the user who owns it, or give it to this user with chown.",
            )
        if status.st_mode & _OTHERS:
            raise _refused(
                f"the {what} at {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
                hint=f"Ask who may have read it; then run: chmod 600 {shlex.quote(str(path))}",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise _unreadable(path, what, error) from None
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise _refused(f"the {what} at {path} has more than {most_bytes} bytes", hint="Restore it from your backup.")
    return content


def replace(path: Path, content: bytes, *, what: str) -> None:
    """Write a secret file whole: after a crash there is the old content or the new, never a mixture.

    Raises:
        Trouble: 4 if the file belongs to another user, who could not read it any more; 3 if it cannot be written.
    """
    with _failing_as_trouble(path, what):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_uid != os.geteuid():
                raise _refused(f"the {what} at {path} belongs to another user", hint="Run as the user who owns it.")
        with _temporary(path, content) as temporary:
            temporary.replace(path)


def create(path: Path, content: bytes, *, what: str) -> bool:
    """Write a secret file, unless one is there; on disk it is in either case. True if this call made it.

    Where the file system allows it, the content has no other name at any moment, so that a key that is deleted is gone.
    Elsewhere the temporary name of a call that was killed stays until the next call, or until `sweep`.
    """
    with _failing_as_trouble(path, what):
        made = _create_nameless(path, content)
        if made is None:
            with _temporary(path, content) as temporary:
                made = _linked(str(temporary), path)
    return made


def _create_nameless(path: Path, content: bytes) -> bool | None:
    """Link a synced file that has no name yet to `path` (open(2), O_TMPFILE). None: that is not possible here."""
    _prepare(path)
    try:
        descriptor = os.open(path.parent, NAMELESS | os.O_WRONLY | os.O_CLOEXEC, 0o600) if NAMELESS else None
    except OSError:
        descriptor = None
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "wb") as file:
        _write_synced(descriptor, content)
        try:
            made = _linked(f"/proc/self/fd/{file.fileno()}", path)
        except OSError:  # no /proc here
            return None
    sync_folder(path.parent)
    return made


def _linked(source: str, path: Path) -> bool:
    """Give a file the name `path`; unlike a rename, it never takes another file's place. False: one is there."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(source, path.name, dst_dir_fd=folder)  # with a folder, Python follows the link in /proc
    except FileExistsError:
        with contextlib.suppress(OSError), os.fdopen(os.open(path, _READING), "rb") as there:
            os.fsync(there.fileno())
        return False
    finally:
        os.close(folder)
    return True


def _opened(path: Path, what: str) -> int:
    """Open the file in its folder, and refuse a folder in which somebody else could put another file in its place."""
    folder = os.open(path.parent, _LOOKING | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
        if status.st_uid not in {os.geteuid(), 0}:  # root may do everything anyway
            raise _refused(
                f"the folder {path.parent} of the {what} belongs to another user (uid {status.st_uid})",
                hint=f"Its owner could put another {what} there: move the file into a folder of this user's.",
            )
        if status.st_mode & _WRITABLE_BY_OTHERS and not status.st_mode & stat.S_ISVTX:
            raise _refused(
                f"others may write to the folder {path.parent} of the {what} (mode {stat.S_IMODE(status.st_mode):04o})",
                hint=f"They could put another {what} there; run: chmod go-w {shlex.quote(str(path.parent))}",
            )
        return os.open(path.name, _READING, dir_fd=folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[Path]:
    """A synced file of mode 0600 beside `path`; afterwards it is gone and the folder is synced."""
    _prepare(path)
    temporary, descriptor = _claimed(path)
    try:
        _write_synced(descriptor, content)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)
        sync_folder(path.parent)


def _prepare(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(path)


def _claimed(path: Path) -> tuple[Path, int]:
    """Open a new temporary file beside `path` that no other process sweeps away."""
    while True:
        temporary = path.with_name(temporary_name(path.name))
        descriptor = open_new(temporary, mode=0o600)
        if claim(descriptor):
            return temporary, descriptor
        os.close(descriptor)


def _write_synced(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def _failing_as_trouble(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Trouble(
            f"the {what} at {path} cannot be written: {_reason(error)}",
            hint="Give this user a folder of its own to write to.",
        ) from None


def _unreadable(path: Path, what: str, error: OSError) -> Trouble:
    if error.errno == errno.ELOOP:
        return _refused(f"the {what} at {path} is a symbolic link", hint="Name the file itself, not a link to it.")
    return Trouble(
        f"the {what} at {path} cannot be read: {_reason(error)}",
        hint="Run as the user who owns the file, and check the path.",
    )


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else "input/output error"


def _refused(message: str, *, hint: str) -> Trouble:
    return Trouble(message, hint=hint, exit_code=Exit.REFUSED)
