"""A keyring that is made on demand and gone with the process: for `try` and for tests, never for a worker."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, NoReturn

from pipelines.keys.epochs import RootId
from pipelines.keys.subkeys import ROOT_BYTES, Epoch, SubkeyCache, Subkeys

if TYPE_CHECKING:
    from pipelines.contract.model import Purpose


class ThrowawayKeyring:
    """Random roots in memory, one for each purpose and epoch that is asked for; they last as long as the object."""

    __slots__ = ("_cache", "_lock", "_roots")

    def __init__(self) -> None:
        self._roots: dict[Epoch, bytes] = {}  # not bounded: a root that is dropped could not be had again
        self._lock = threading.Lock()
        self._cache = SubkeyCache(self._subkeys)

    def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        """The subkeys of a purpose at a broker time; there always are some."""
        return self._cache.at(purpose, timestamp_ms)

    def _subkeys(self, epoch: Epoch) -> Subkeys:
        with self._lock:
            root = self._roots.setdefault(epoch, secrets.token_bytes(ROOT_BYTES))
        return Subkeys(RootId(*epoch), root)

    def __repr__(self) -> str:
        return f"ThrowawayKeyring({len(self._roots)} roots)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a keyring stays in its process")


def throwaway_keyring() -> ThrowawayKeyring:
    """A new one: handles made with it match no other's."""
    return ThrowawayKeyring()
