"""Canaries: unique texts, planted in everything that a view drops, that no output may ever hold.

A canary is a marker and a number of eight hexadecimal digits: `CNRY5EED0000002A`. Synthetic ids are UUIDs that all
begin alike. So a search needs no list: the marker betrays a canary, the beginning an identifier, both as text, as
bytes, in hexadecimal and in base64. Where a field is too small for a canary (a fixed of 6 to 15 bytes), a short mark
stands in, which is found but not counted. Never holds what was planted: the numbers run from 0, and a bitmap is enough.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

MARKER: Final = "CNRY5EED"
SHORT_MARKER: Final = "CNRY"
TEXT_LENGTH: Final = len(MARKER) + 8
SMALLEST_MARKED: Final = 6

# Ids of events, devices and accounts: uuid version 4 in form, and all from one corner that chance does not reach.
ID_PREFIX: Final = "5eed5eed-5eed-4"
_ID_BYTES: Final = bytes.fromhex("5eed5eed5eed")

# Numbers from here on belong to devices (serial numbers and the like): they come back, so they are not counted.
FIRST_STANDING_NUMBER: Final = 0x8000_0000

_NUMBERED: Final = re.compile(rb"CNRY5EED([0-9A-F]{8})")


def _base64_cores(mark: bytes) -> list[bytes]:
    """What base64 makes of `mark` at each of the three alignments, without the digits its neighbours share."""
    cores = []
    for shift in range(3):
        text = b64encode(b"\0" * shift + mark)
        cores.append(text[(shift * 8 + 5) // 6 : (shift + len(mark)) * 8 // 6])
    return cores


_CANARY: Final = re.compile(
    b"|".join(
        [
            rb"CNRY[0-9A-Z]{2}",
            rb"cnry5eed",
            rb"(?i:" + MARKER.encode().hex().encode() + rb")",
            *(re.escape(core) for core in _base64_cores(MARKER.encode())),
        ]
    )
)
_IDENTIFIER: Final = re.compile(
    b"|".join(
        [
            rb"(?i:5eed5eed-?5eed-?4)",
            re.escape(_ID_BYTES) + rb"[\x40-\x4f]",
            *(re.escape(core) for core in _base64_cores(_ID_BYTES)),
            *(re.escape(core) for core in _base64_cores(ID_PREFIX.encode())),
        ]
    ),
    re.DOTALL,
)


def text(number: int) -> str:
    """The canary of that number, 16 characters."""
    return f"{MARKER}{number:08X}"


def short(number: int, size: int) -> bytes:
    """The short mark for a fixed of `size` bytes, 6 to 15; its last digits are the number's."""
    return (SHORT_MARKER + f"{number:011X}"[-(size - len(SHORT_MARKER)) :]).encode()


def find(data: bytes) -> str | None:
    """Say whether `data` holds a canary or a synthetic id: `canary`, `identifier` or None. Never says which one."""
    if _CANARY.search(data):
        return "canary"
    if _IDENTIFIER.search(data):
        return "identifier"
    return None


@dataclass(slots=True)
class Tally:
    """Which numbers have been seen, one bit each. `issued` numbers make it complete."""

    issued: int
    _seen: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self._seen = bytearray(self.issued // 8 + 1)

    def note(self, data: bytes) -> None:
        """Mark every numbered canary in `data` (one raw value)."""
        for digits in _NUMBERED.findall(data):
            number = int(digits, 16)
            if number < self.issued:
                self._seen[number >> 3] |= 1 << (number & 7)

    def add(self, other: Tally) -> None:
        """Mark what another tally of as many canaries has seen."""
        self._seen = bytearray(mine | theirs for mine, theirs in zip(self._seen, other._seen, strict=True))

    @property
    def missing(self) -> int:
        """How many of the issued canaries have not been seen. Not 0: a search of the outputs would prove nothing."""
        return self.issued - sum(byte.bit_count() for byte in self._seen)
