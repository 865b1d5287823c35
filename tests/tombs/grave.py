"""A grave: bytes that were written to a topic, by when they must be off the disk, and when they were."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import PurePath

GRACE_S = 2.0
"""So long after its worst case a grave is still watched, before that is said."""


def _canary() -> bytes:
    return b"TOMB-" + secrets.token_hex(16).encode()


@dataclass(slots=True)
class Grave:
    """One canary of one kind, in one round.

    Args:
        topic: where they were written.
        attempt: how often it was tried to write them.
        canary: the bytes that are looked for.
        born_ms: the raw broker time that the promise counts from.
        worst_ms: the age at which the last byte must be gone; may grow while a broker is down.
        ttl_ms: what a contract would promise.
    """

    kind: str
    round: int
    topic: str = ""
    attempt: int = 1
    canary: bytes = field(default_factory=_canary)
    born_ms: int = 0
    worst_ms: int = 0
    ttl_ms: int = 0
    sealed_at: float | None = None
    gone_at: float | None = None
    fault: str | None = None
    files: set[str] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)
    _seen_since_sealed: bool = False
    _clean_since: float | None = None

    def seal(self, *, born_ms: int, worst_ms: int, ttl_ms: int) -> None:
        """All copies are written. From now on it counts when they are gone."""
        self.born_ms, self.worst_ms, self.ttl_ms = born_ms, worst_ms, ttl_ms
        self.sealed_at = time.time()

    @property
    def seems_gone(self) -> bool:
        """Whether the last look at the topic's own folders found nothing more."""
        return self._clean_since is not None

    def saw(self, files: set[str], *, complete: bool, everywhere: bool) -> None:
        """Take in a look at the disks, which ended just now; an incomplete one proves no absence.

        Args:
            files: where the canary was.
            complete: no file went away while it was looked at.
            everywhere: it was searched in all files of all brokers, and not only in the topic's own.
        """
        now = time.time()
        self.files |= files
        if self.sealed_at is None:
            return
        if files:
            self._seen_since_sealed, self._clean_since = True, None
        elif complete and self._seen_since_sealed:
            # Twice, since a file that is renamed while its folder is listed may show under neither name.
            self._clean_since = self._clean_since or now
            if everywhere:
                self.gone_at = self._clean_since
                self.done.set()
        if now * 1000 > self.born_ms + self.worst_ms + GRACE_S * 1000:
            self.done.set()

    @property
    def last_byte_gone_s(self) -> float | None:
        """The age at which the bytes were first not found; None: they were still there, or never."""
        return None if self.gone_at is None else round(self.gone_at - self.born_ms / 1000, 1)

    @property
    def kept(self) -> bool:
        """Whether the bytes were there, and went in time."""
        gone_s = self.last_byte_gone_s
        return self.fault is None and gone_s is not None and gone_s * 1000 <= min(self.worst_ms, self.ttl_ms)

    def to_dict(self) -> dict[str, object]:
        """What a report says of it."""
        return {
            "round": self.round,
            "kind": self.kind,
            "worst_case_s": round(self.worst_ms / 1000, 1),
            "ttl_s": round(self.ttl_ms / 1000, 1),
            "last_byte_gone_s": self.last_byte_gone_s,
            "hits": len(self.files),
            "deleted_files_seen": sum(".deleted" in PurePath(file).name for file in self.files),
            "kept": self.kept,
            **({} if self.fault is None else {"fault": self.fault}),
        }
