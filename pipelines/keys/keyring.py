"""The keyring as workers see it: it finds the root of a purpose at a broker time, and never makes one.

It holds wrapped roots and unwraps one when its subkeys are first asked for. `pipelines keys init` may run meanwhile:
when a root is missing the file is read again, at most once a second. Threads may share a keyring; a process may not
inherit or be sent one half-used: open it where it is needed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

from pipelines.keys import document, secretfile
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId, epoch_start
from pipelines.keys.subkeys import ROOT_BYTES, SubkeyCache, Subkeys
from pipelines.trouble import Exit, Trouble

if TYPE_CHECKING:
    from pipelines.contract.model import Purpose

WHAT: Final = "keyring"
REREAD_SECONDS: Final = 1.0


class Keyring:
    """The roots in one keyring file, under one key encryption."""

    __slots__ = ("_cache", "_clock", "_kek", "_lock", "_path", "_read_at", "_wrapped")

    def __init__(self, path: Path, kek: KeyEncryption, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._kek = kek
        self._clock = clock
        self._lock = threading.Lock()
        self._cache = SubkeyCache(self._root)
        self._wrapped: dict[RootId, bytes] = {}
        self._read_at = float("-inf")

    @classmethod
    def open(cls, path: Path, kek: KeyEncryption) -> Self:
        """Read and authenticate a keyring.

        Raises:
            Trouble: 3 if there is none; 4 if others may read it, or it is not whole and written under this key.
        """
        keyring = cls(path, kek)
        keyring.read()
        return keyring

    def read(self) -> None:
        """Read the file again; subkeys of roots that are gone from it, or changed, are forgotten."""
        with self._lock:
            self._read()

    @property
    def roots(self) -> tuple[RootId, ...]:
        """Which roots there are, ascending."""
        return tuple(sorted(self._wrapped))

    def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        """The subkeys of a purpose at a broker time.

        Raises:
            Trouble: 3 if there is no root for that epoch, naming purpose and epoch; 4 if it does not unwrap.
        """
        return self._cache.at(purpose, timestamp_ms)

    def former_subkeys(self, purpose: Purpose, first_ms: int, last_ms: int) -> list[Subkeys]:
        """The subkeys that a purpose had in [first, last] while it rotated otherwise, as far as their roots are here.

        Reads the file again (at most once a second).

        Raises:
            Trouble: 3 if the file is gone; 4 if a root does not unwrap.
        """
        with self._lock:
            self._read_if_due()
            wrapped = dict(self._wrapped)
        return [
            Subkeys(root_id, self._unwrap(root_id, root))
            for root_id, root in sorted(wrapped.items())
            if root_id.purpose == purpose.name
            and root_id.rotate_ms != purpose.rotate_ms
            and root_id.epoch_start_ms <= last_ms
            and first_ms < root_id.epoch_start_ms + root_id.rotate_ms
        ]

    def runway_ms(self, purpose: Purpose, now_ms: int) -> int:
        """For how long, from now on, every epoch of a purpose has its root; 0 if the present one has none.

        Reads the file again (at most once a second), so that a gauge shows what `keys init` made. If the file cannot
        be read now, the roots at hand still count: a worker goes on with them.
        """
        with self._lock:
            with contextlib.suppress(Trouble):
                self._read_if_due()
            wrapped = self._wrapped
        start = now = epoch_start(now_ms, purpose.rotate_ms)
        while RootId(purpose.name, purpose.rotate_ms, start) in wrapped:
            start += purpose.rotate_ms
        return 0 if start == now else start - now_ms

    def verify(self) -> None:
        """Unwrap every root once, so that a bad one is found before its epoch comes. Trouble as in `subkeys_at`."""
        for root_id in self.roots:
            self._unwrap(root_id, self._wrapped[root_id])

    def _root(self, root_id: RootId) -> bytes:
        with self._lock:
            if root_id not in self._wrapped:
                self._read_if_due()
            wrapped = self._wrapped.get(root_id)
        if wrapped is None:
            raise Trouble(
                f"the keyring has no root for {root_id}",
                hint="Run `pipelines keys init`; workers never make keys.",
            )
        return self._unwrap(root_id, wrapped)

    def _unwrap(self, root_id: RootId, wrapped: bytes) -> bytes:
        return unwrapped(root_id, wrapped, self._kek)

    def _read_if_due(self) -> None:
        if self._clock() - self._read_at >= REREAD_SECONDS:
            self._read()

    def _read(self) -> None:
        self._read_at = self._clock()
        new = read_roots(self._path, self._kek)
        if new is None:
            raise Trouble(
                f"there is no keyring at {self._path}",
                hint="Run `pipelines keys init`, or point --keyring (PIPELINES_KEYRING) at the file.",
            )
        self._cache.forget({root_id for root_id, wrapped in self._wrapped.items() if new.get(root_id) != wrapped})
        self._wrapped = new

    def __repr__(self) -> str:
        return f"Keyring({str(self._path)!r}, {len(self._wrapped)} roots)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a keyring stays in its process; open it again from its file")


def unwrapped(root_id: RootId, wrapped: bytes, kek: KeyEncryption) -> bytes:
    """A root of the keyring. Trouble 4, naming purpose and epoch, if it does not unwrap."""
    root = kek.unwrap(wrapped)
    if root is None or len(root) != ROOT_BYTES:
        raise Trouble(
            f"the keyring's root for {root_id} does not unwrap",
            hint="Restore the keyring and its key-encryption key from one backup.",
            exit_code=Exit.REFUSED,
        )
    return root


def read_roots(path: Path, kek: KeyEncryption) -> dict[RootId, bytes] | None:
    """The wrapped roots in the file at `path`; None if there is no file. Trouble as in `Keyring.open`."""
    content = secretfile.read(path, what=WHAT, most_bytes=document.MOST_BYTES)
    return None if content is None else document.parse(content, kek, path)


def write_roots(path: Path, kek: KeyEncryption, roots: document.WrappedRoots) -> None:
    """Write the file whole, or not at all."""
    secretfile.replace(path, document.dump(roots, kek), what=WHAT)
