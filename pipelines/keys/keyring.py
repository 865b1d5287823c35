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
from pipelines.keys.binding import deployment_mark
from pipelines.keys.contents import VERSION, Contents
from pipelines.keys.encryption import KeyEncryption
from pipelines.keys.epochs import RootId, epoch_start
from pipelines.keys.locking import Use, use
from pipelines.keys.subkeys import Epoch, SubkeyCache, Subkeys
from pipelines.trouble import Exit, Trouble

if TYPE_CHECKING:
    from pipelines.contract.model import Purpose

WHAT: Final = "keyring"
REREAD_SECONDS: Final = 1.0


class Keyring:
    """The roots in one keyring file, under one key encryption."""

    __slots__ = ("_admitted", "_cache", "_clock", "_contents", "_kek", "_lock", "_path", "_read_at", "_use")

    def __init__(self, path: Path, kek: KeyEncryption, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._kek = kek
        self._clock = clock
        self._lock = threading.Lock()
        self._cache = SubkeyCache(self._subkeys)
        self._contents = Contents(VERSION)
        self._admitted: set[str] = set()  # purposes that were in the contract when this process first used them
        self._read_at = float("-inf")
        self._use: Use | None = None

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

    def hold(self) -> None:
        """Mark the keyring as in use by this process, so that it is not migrated meanwhile; then read it.

        Raises:
            Trouble: 3 while another process migrates it; or as in `open`.
        """
        self._use = self._use or use(self._path)
        self.read()

    @property
    def version(self) -> int:
        """The version of the file's format."""
        return self._contents.version

    @property
    def mark(self) -> str:
        """What all copies of this keyring have in common: 16 hexadecimal digits, no secret. Empty in version 1."""
        deployment = self._contents.deployment
        return deployment_mark(deployment) if deployment else ""

    @property
    def roots(self) -> tuple[RootId, ...]:
        """Which roots there are, ascending."""
        return tuple(sorted(self._contents.roots))

    def root_count(self, purpose: Purpose) -> int:
        """How many roots there are of a purpose in its present incarnation and rotation."""
        state = self._contents.state_of(purpose.name)
        wanted = (purpose.name, purpose.rotate_ms, state.incarnation if state else 0)
        return sum((each.purpose, each.rotate_ms, each.incarnation) == wanted for each in self._contents.roots)

    def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        """The subkeys of a purpose at a broker time.

        Raises:
            Trouble: 3 if there is no root for that epoch, naming purpose and epoch; 4 if it does not unwrap.
        """
        return self._cache.at(purpose, timestamp_ms)

    def former_subkeys(self, purpose: Purpose, first_ms: int, last_ms: int) -> list[Subkeys]:
        """The subkeys that a purpose had in [first, last] while it rotated otherwise or was in another incarnation.

        As far as their roots are here. Reads the file again (at most once a second).

        Raises:
            Trouble: 3 if the file is gone; 4 if a root does not unwrap.
        """
        with self._lock:
            self._read_if_due()
            contents = self._contents
        state = contents.state_of(purpose.name)
        present = (purpose.rotate_ms, state.incarnation if state else 0)
        return [
            contents.subkeys(root_id, self._kek)
            for root_id in sorted(contents.roots)
            if root_id.purpose == purpose.name
            and (root_id.rotate_ms, root_id.incarnation) != present
            and root_id.epoch_start_ms <= last_ms
            and first_ms < root_id.epoch_start_ms + root_id.rotate_ms
        ]

    def runway_ms(self, purpose: Purpose, now_ms: int) -> int:
        """For how long, from now on, every epoch of a purpose has its root; 0 if the present one has none.

        Reads the file again (at most once a second), so that a gauge shows what `keys init` made. If the file cannot
        be read now, the roots that it has still count: a worker goes on with them.
        """
        with self._lock:
            with contextlib.suppress(Trouble):
                self._read_if_due()
            contents = self._contents
            incarnation = self._incarnation(contents, purpose.name)
        if incarnation is None:
            return 0
        start = now = epoch_start(now_ms, purpose.rotate_ms)
        while RootId(purpose.name, purpose.rotate_ms, start, incarnation) in contents.roots:
            start += purpose.rotate_ms
        return 0 if start == now else start - now_ms

    def verify(self) -> None:
        """Unwrap every root once, so that a bad one is found before its epoch comes. Trouble as in `subkeys_at`."""
        for root_id in self.roots:
            self._contents.unwrap(root_id, self._kek)

    def _subkeys(self, epoch: Epoch) -> Subkeys:
        with self._lock:
            root_id = self._root_id(epoch)
            if root_id is None:
                self._read_if_due()
                root_id = self._root_id(epoch)
            contents = self._contents
        if root_id is None:
            raise Trouble(
                f"the keyring has no root for {RootId(*epoch)}{self._why(epoch[0])}",
                hint="Run `pipelines keys init`; workers never make keys.",
            )
        return contents.subkeys(root_id, self._kek)

    def _root_id(self, epoch: Epoch) -> RootId | None:
        incarnation = self._incarnation(self._contents, epoch[0])
        root_id = None if incarnation is None else RootId(*epoch, incarnation)
        if root_id not in self._contents.roots:
            return None
        self._admitted.add(epoch[0])
        return root_id

    def _incarnation(self, contents: Contents, name: str) -> int | None:
        """The purpose's incarnation; None if there is none to make handles in.

        A purpose that left the contract gives no keys: when it comes back, `keys init` must first begin an incarnation.
        But a process that uses it already goes on, since its own contract still has the purpose.
        """
        state = contents.state_of(name)
        return state.incarnation if state and (state.in_contract or name in self._admitted) else None

    def _why(self, name: str) -> str:
        state = self._contents.state_of(name)
        away = state is not None and not state.in_contract and name not in self._admitted
        return ": the contract did not have this purpose when `keys init` last ran" if away else ""

    def _read_if_due(self) -> None:
        if self._clock() - self._read_at >= REREAD_SECONDS:
            self._read()

    def _read(self) -> None:
        self._read_at = self._clock()
        new = read_contents(self._path, self._kek)
        if new is None:
            raise Trouble(
                f"there is no keyring at {self._path}",
                hint="Run `pipelines keys init`, or point --keyring (PIPELINES_KEYRING) at the file.",
            )
        old = self._contents
        if old.deployment and new.deployment != old.deployment:
            raise Trouble(
                f"the keyring at {self._path} was replaced by an older version or by another deployment's",
                hint="Restore this deployment's keyring. After a rollback that you want, start the workers again.",
                exit_code=Exit.REFUSED,
            )
        self._cache.forget(
            root_id[:3]
            for root_id, root in old.roots.items()
            if new.roots.get(root_id) != root or new.state_of(root_id.purpose) != old.state_of(root_id.purpose)
        )
        self._contents = new

    def __repr__(self) -> str:
        return f"Keyring({str(self._path)!r}, {len(self._contents.roots)} roots)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a keyring stays in its process; open it again from its file")


def read_contents(path: Path, kek: KeyEncryption) -> Contents | None:
    """The content of the file at `path`; None if there is no file. Trouble as in `Keyring.open`."""
    content = secretfile.read(path, what=WHAT, most_bytes=document.MOST_BYTES)
    return None if content is None else document.parse(content, kek, path)


def write_contents(path: Path, kek: KeyEncryption, contents: Contents) -> None:
    """Write the file whole, or not at all."""
    secretfile.replace(path, document.dump(contents, kek), what=WHAT)


def absent(path: Path) -> Trouble:
    """What somebody is told who changes a keyring that is not there (exit 3)."""
    return Trouble(f"there is no keyring at {path}", hint="Point --keyring (PIPELINES_KEYRING) at the file.")
