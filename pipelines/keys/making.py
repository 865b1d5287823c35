"""Making roots ahead of need, and wrapping them anew: the only code that writes a keyring, run by people, not workers.

A root that exists is never made again, and never changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from pipelines.keys.document import MOST_ROOTS
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId, epoch_starts
from pipelines.keys.keyring import read_roots, unwrapped, write_roots
from pipelines.keys.subkeys import ROOT_BYTES
from pipelines.trouble import Exit, Trouble

if TYPE_CHECKING:
    from pipelines.contract.model import Purpose

LOCK_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Extension:
    """What `extend` did: the roots that it made, and how many of the wanted ones were there before."""

    made: tuple[RootId, ...]
    kept: int


def extend(
    path: Path,
    kek: KeyEncryption,
    purposes: Iterable[Purpose],
    *,
    first_ms: int,
    last_ms: int,
    most_roots: int = MOST_ROOTS,
    lock_s: float = LOCK_SECONDS,
) -> Extension:
    """Make the roots that are missing for every epoch of every purpose that touches [first, last].

    Args:
        path: the keyring file; it is made if there is none.
        kek: wraps the new roots and opens those that are there.
        purposes: whose roots.
        first_ms: the oldest broker time that a raw event may still have: now - raw TTL.
        last_ms: how far ahead of need to reach.
        most_roots: so many roots a keyring holds at most.
        lock_s: so long the keyring's lock is waited for (seconds).

    Raises:
        Trouble: 2 if that is more roots than a keyring holds; 3 if another process holds the lock, or the file cannot
            be written; 4 if the keyring that is there cannot be used (it is left as it is).
    """
    spans = [(purpose, epoch_starts(first_ms, last_ms, purpose.rotate_ms)) for purpose in purposes]
    if sum(map(_count, (starts for _, starts in spans))) > most_roots:
        raise Trouble(
            f"this would take more than {most_roots} roots",
            hint="Look less far ahead, or let purposes rotate less often.",
            exit_code=Exit.USAGE,
        )
    wanted = {RootId(purpose.name, purpose.rotate_ms, start) for purpose, starts in spans for start in starts}
    with _locked(path, lock_s):
        roots = read_roots(path, kek)
        present = roots or {}
        made = tuple(sorted(wanted.difference(present)))
        if len(present) + len(made) > most_roots:
            raise Trouble(
                f"the keyring at {path} would come to hold more than {most_roots} roots",
                hint="Look less far ahead.",
                exit_code=Exit.USAGE,
            )
        if made or roots is None:
            new = {root_id: kek.wrap(secrets.token_bytes(ROOT_BYTES)) for root_id in made}
            write_roots(path, kek, {**present, **new})
    return Extension(made, len(wanted) - len(made))


def rewrap(path: Path, old: KeyEncryption, new: KeyEncryption) -> int:
    """Wrap every root of a keyring under another key encryption; the roots, and so all handles, stay as they are.

    The file is replaced whole, once every root has been unwrapped; a keyring that is wholly under `new` already stays.

    Returns:
        How many roots were wrapped anew.

    Raises:
        Trouble: 3 if there is no keyring, another process holds the lock, or the file cannot be written; 4 if the
            keyring, or one of its roots, opens under neither (it is left as it is).
    """
    with _locked(path):
        try:
            wrapped = read_roots(path, old)
        except Trouble:
            if _opens(path, new):
                return 0
            raise
        if wrapped is None:
            raise Trouble(f"there is no keyring at {path}", hint="Point --keyring (PIPELINES_KEYRING) at the file.")
        write_roots(path, new, {each: new.wrap(unwrapped(each, root, old)) for each, root in wrapped.items()})
    return len(wrapped)


def _opens(path: Path, kek: KeyEncryption) -> bool:
    try:
        return read_roots(path, kek) is not None
    except Trouble:
        return False


def _count(starts: range) -> int:
    """The length of a range that may be too long for `len`."""
    return max(0, -((starts.start - starts.stop) // starts.step))


@contextmanager
def _locked(path: Path, lock_s: float = LOCK_SECONDS) -> Iterator[None]:
    """The keyring's lock, beside it; two people who run `keys init` take turns."""
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
        raise Trouble(
            f"the keyring's lock {lock_path} cannot be made ({type(error).__name__})",
            hint="Give this user a folder of its own to write to.",
        ) from None
    try:
        yield
    finally:
        lock.release()
