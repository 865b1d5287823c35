"""Two locks beside a keyring: `.lock` for its writer, `.in-use` for the processes that make handles with it.

Both are flock(2), which the kernel frees when a process dies. A process on another machine is not seen.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from filelock import FileLock, Timeout

from pipelines.trouble import Exit, Trouble

LOCK_SECONDS: Final = 10
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@contextmanager
def written_alone(path: Path, lock_s: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the keyring's lock: two people who run `keys init` take turns. Waits up to `lock_s` seconds.

    Raises:
        Trouble: 3 if another process holds it, or it cannot be made.
    """
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(lock_path, timeout=lock_s, mode=0o600)
        lock.acquire()
    except Timeout:
        raise Trouble(
            f"another process has held the keyring's lock {lock_path} for {lock_s} s",
            hint="Let it finish, then run this again.",
        ) from None
    except OSError as error:
        raise _cannot_be_made(lock_path, error) from None
    try:
        yield
    finally:
        lock.release()


class Use:
    """A process's use of a keyring; it ends with the object or the process."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:
        self.end()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a lock stays in its process")

    def end(self) -> None:
        """Let others migrate the keyring."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def use(path: Path) -> Use:
    """Mark the keyring as in use. Does not block.

    Where the folder is read-only and `keys init` has not yet made the lock, nothing is marked.

    Raises:
        Trouble: 3 while the keyring is migrated.
    """
    try:
        descriptor = _opened(path)
    except OSError:
        return Use(None)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Trouble(
            f"the keyring at {path} is being migrated by another process", hint="Start again when it is done."
        ) from None
    except OSError:  # a file system without locks
        os.close(descriptor)
        return Use(None)
    return Use(descriptor)


def provide_use_lock(path: Path) -> None:
    """Make the lock that `use` holds, for processes that may not write to the folder."""
    try:
        os.close(_opened(path))
    except OSError as error:
        raise _cannot_be_made(_use_lock(path), error) from None


@contextmanager
def used_by_nobody(path: Path) -> Iterator[None]:
    """Keep every process of this machine from using the keyring. Does not block.

    Raises:
        Trouble: 4 if one uses it; 3 if the lock cannot be had.
    """
    try:
        descriptor = _opened(path)
    except OSError as error:
        raise _cannot_be_made(_use_lock(path), error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(
                f"a process on this machine uses the keyring at {path}",
                hint="Stop every `pipelines run` and `pipelines replay` that uses it, then run this again.",
                exit_code=Exit.REFUSED,
            ) from None
        except OSError as error:
            raise _cannot_be_made(_use_lock(path), error) from None
        yield
    finally:
        os.close(descriptor)


def _use_lock(path: Path) -> Path:
    return path.with_name(f"{path.name}.in-use")


def _opened(path: Path) -> int:
    try:
        return os.open(_use_lock(path), _FLAGS)
    except FileNotFoundError:
        return os.open(_use_lock(path), _FLAGS | os.O_CREAT, 0o600)


def _cannot_be_made(lock_path: Path, error: OSError) -> Trouble:
    return Trouble(
        f"the keyring's lock {lock_path} cannot be made ({type(error).__name__})",
        hint="Give this user a folder of its own to write to.",
    )
