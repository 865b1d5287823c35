"""The keys of a benchmark: one root for everything, so that a rival can be given the very keys that ours use."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from pipelines.contract.model import Purpose
from pipelines.keys import Subkeys
from pipelines.keys.epochs import RootId, epoch_start
from pipelines.keys.subkeys import expand

_RUNWAY_MS: Final = 365 * 86_400_000


class OneRoot:
    """As a keyring, with the same root for each purpose and epoch: nothing here is secret."""

    def __init__(self, seed: str) -> None:
        self.root: Final = sha256(seed.encode()).digest()
        self._known: dict[RootId, Subkeys] = {}

    def subkeys_at(self, purpose: Purpose, timestamp_ms: int) -> Subkeys:
        """The subkeys of a purpose at a broker time."""
        root_id = RootId(purpose.name, purpose.rotate_ms, epoch_start(timestamp_ms, purpose.rotate_ms))
        return self._known.setdefault(root_id, Subkeys(root_id, self.root))

    def runway_ms(self, _purpose: Purpose, _now_ms: int) -> int:
        """How far ahead there are keys: far."""
        return _RUNWAY_MS

    def cache(self) -> dict[str, int]:
        """How often a handle was remembered, and how often it was not."""
        makers = [maker for subkeys in list(self._known.values()) for maker in list(subkeys._makers.values())]  # noqa: SLF001
        infos = [maker.cache_info() for maker in makers]  # type: ignore[attr-defined]
        return {"hits": sum(info.hits for info in infos), "misses": sum(info.misses for info in infos)}

    def for_rivals(self) -> dict[str, str]:
        """The two subkeys, in hexadecimal digits."""
        return {"handle_key": expand(self.root, b"handle").hex(), "id_key": expand(self.root, b"event-id").hex()}
