"""Subkeys: what one root gives: a key for handles and a key for event ids, and the two functions made of them.

    handle key   = HKDF-Expand-SHA256(root, info("handle"), 32)  (RFC 5869 §2.3; a random root needs no extract step)
    event-id key = HKDF-Expand-SHA256(root, info("event-id"), 32)
    info(use)    = use, for a root that was made for version 1 of the keyring; else
                   u32be length ‖ "telemetry-pipelines/derivation-2/" use ‖ place      (see `binding`)
    handle       = HMAC-SHA256(handle key, u8 kind ‖ u32be length ‖ identifier)[:16]     (RFC 2104)
    event id     = AES-256(event-id key, block)                  (one block; see `eventid`)

Caches are bounded, and change what a call costs, never what it gives. Nothing here shows a key or can be pickled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from pipelines.keys.binding import field
from pipelines.keys.epochs import RootId, epoch_start, epoch_text
from pipelines.keys.eventid import BLOCK_BYTES

if TYPE_CHECKING:
    from pipelines.contract.model import IdentifierKind, Purpose

HandleMaker = Callable[[bytes], bytes]
"""Identifier → handle (16 bytes)."""

ROOT_BYTES: Final = 32
HANDLE_BYTES: Final = 16
HANDLES_CACHED: Final = 8_192
SUBKEYS_CACHED: Final = 64

_KIND_BYTES: Final[dict[IdentifierKind, bytes]] = {"device": b"\x01", "account": b"\x02"}


def expand(root: bytes, info: bytes) -> bytes:
    """HKDF-Expand with SHA-256 to 32 bytes."""
    return HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(root)


def info_of(use: bytes, place: bytes) -> bytes:
    """Return HKDF's info for a use of a root; `place` is empty for a root that was made for version 1."""
    return field(b"telemetry-pipelines/derivation-2/" + use) + place if place else use


class Subkeys:
    """The keys of one purpose in one epoch. Safe to share between threads.

    Args:
        root_id: the purpose and the epoch.
        root: their root.
        handles_cached: so many handles of each kind are remembered.
        place: the bytes of the root's place, for a root that was made for version 2 of the keyring.
    """

    __slots__ = ("_cipher", "_handle_key", "_handles_cached", "_makers", "epoch_start_ms", "purpose")

    def __init__(
        self, root_id: RootId, root: bytes, handles_cached: int = HANDLES_CACHED, *, place: bytes = b""
    ) -> None:
        self._handles_cached = handles_cached
        self.purpose: Final = root_id.purpose
        self.epoch_start_ms: Final = root_id.epoch_start_ms
        self._handle_key = expand(root, info_of(b"handle", place))
        self._cipher = Cipher(AES256(expand(root, info_of(b"event-id", place))), modes.ECB())  # noqa: S305 - single unique blocks
        self._makers: dict[IdentifierKind, HandleMaker] = {}

    def handle_maker(self, kind: IdentifierKind) -> HandleMaker:
        """The function from an identifier's bytes to its handle. It remembers the last ones."""
        maker = self._makers.get(kind)
        if maker is None:
            maker = self._makers.setdefault(kind, _handle_maker(self._handle_key, kind, self._handles_cached))
        return maker

    def event_ids(self, blocks: bytes) -> bytes:
        """The event ids of n blocks (n · 16 bytes each way), in order, by one AES call.

        Raises:
            ValueError: the length is no multiple of 16.
        """
        if len(blocks) % BLOCK_BYTES:
            raise ValueError("event blocks have 16 bytes each")
        return self._cipher.encryptor().update(blocks)

    def __repr__(self) -> str:
        return f"Subkeys({self.purpose!r}, {epoch_text(self.epoch_start_ms)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("subkeys stay in their process")


class SubkeySource(Protocol):
    """Whatever gives the subkeys of a purpose at a broker time: a keyring, or a throwaway one."""

    def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        """The subkeys of the epoch that the time falls into; Trouble if there are none."""


Epoch = tuple[str, int, int]
"""A purpose, its rotation and the start of an epoch (ms). Which incarnation of the purpose, a keyring knows."""


class SubkeyCache:
    """The last `most` subkeys, by purpose and epoch; `make` derives those that are not here."""

    __slots__ = ("_known", "_lock", "_make", "_most")

    def __init__(self, make: Callable[[Epoch], Subkeys], most: int = SUBKEYS_CACHED) -> None:
        self._most = most
        self._make = make
        self._known: dict[Epoch, Subkeys] = {}
        self._lock = threading.Lock()

    def at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        """The subkeys of a purpose at a broker time; whatever `make` raises."""
        rotate_ms = purpose.rotate_ms
        epoch = (purpose.name, rotate_ms, epoch_start(timestamp_ms, rotate_ms))
        return self._known.get(epoch) or self._derive(epoch)

    def forget(self, epochs: Iterable[Epoch]) -> None:
        """Drop these, because their roots are gone or changed."""
        with self._lock:
            for epoch in epochs:
                self._known.pop(epoch, None)

    def _derive(self, epoch: Epoch) -> Subkeys:
        made = self._make(epoch)
        with self._lock:
            known = self._known.get(epoch)
            if known is None:
                while len(self._known) >= self._most:
                    del self._known[next(iter(self._known))]
                known = self._known[epoch] = made
            return known

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("subkeys stay in their process")


def _handle_maker(handle_key: bytes, kind: IdentifierKind, cached: int) -> HandleMaker:
    # Copying a keyed context saves the two hash blocks that setting up HMAC costs, each time.
    keyed = HMAC(handle_key, SHA256())
    keyed.update(_KIND_BYTES[kind])

    @lru_cache(cached)
    def handle(identifier: bytes) -> bytes:
        mac = keyed.copy()
        mac.update(len(identifier).to_bytes(4, "big"))
        mac.update(identifier)
        return mac.finalize()[:HANDLE_BYTES]

    return handle
