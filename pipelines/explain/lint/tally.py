"""Tallies: what is remembered of one leaf's values over a sample. Ends with the command; holds hashes and counts.

Of texts that look like an address a bounded number is kept as they are, since what tells an address from a version is
the field's other values. None ever leaves this room.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from pipelines.contract.avro import AvroType, Enum, Fixed, Primitive
from pipelines.contract.formats import FORMATS, looks_like
from pipelines.contract.logical import TIMES

_MOST_KEPT: Final = 1_000
_MOST_REMEMBERED: Final = 10_000
_MOST_READ: Final = 4_096  # bytes of one value
_LONG_TEXT: Final = 16
_LONG_BYTES: Final = 8
_RANDOM_BITS: Final = (
    3.0  # Shannon's entropy of a text's own characters; of sixteen random hexadecimal digits about 3.2
)
_LONG_NUMBER: Final = 50  # bits


@dataclass(slots=True)
class Tally:
    """One leaf. `values` counts those that are there, `long` those that look drawn at random, `texts` those of letters.

    Without `shapes` values are only looked at one by one: neither which ones differ is counted, nor whose they are.
    """

    shapes: bool = True
    values: int = 0
    long: int = 0
    texts: int = 0
    different: set[bytes] = field(default_factory=set)
    looking: Counter[str] = field(default_factory=Counter)
    among: Counter[str] = field(default_factory=Counter)
    addresses: set[str] = field(default_factory=set)
    by_device: dict[bytes, set[bytes]] = field(default_factory=dict)
    remembered: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def add(self, avro_type: AvroType, value: object, device: bytes | None) -> None:
        """Take one value, as the reference decodes it."""
        text, long = _read(avro_type, value)
        self.values += 1
        self.long += long
        if self.shapes:
            mark = blake2b(repr(value).encode(), digest_size=8).digest()
            self.different.add(mark)
            if device is not None:
                self.by_device.setdefault(device, set()).add(mark)
        if text is not None:
            self.texts += isinstance(value, bytes)
            self._look(text)

    def _look(self, text: str) -> None:
        seen = self.remembered.get(text)
        if seen is None:
            found = tuple(one.name for one in looks_like(text))
            seen = found, tuple(one.name for one in FORMATS if one.least and one.among(text))
            if len(self.remembered) < _MOST_REMEMBERED:
                self.remembered[text] = seen
        self.looking.update(seen[0])
        self.among.update(seen[1])
        if "ipv4" in seen[0] and len(self.addresses) < _MOST_KEPT:
            self.addresses.add(text)


def tells(avro_type: AvroType) -> bool:
    """Whether a type can hold what the formats look for: not a boolean, an enum, a time or a fraction."""
    if isinstance(avro_type, Enum):
        return False
    if isinstance(avro_type, Primitive):
        return avro_type.name not in ("boolean", "float", "double") and avro_type.logical not in (*TIMES, "decimal")
    return not (isinstance(avro_type, Fixed) and avro_type.logical in ("decimal", "duration"))


def _read(avro_type: AvroType, value: object) -> tuple[str | None, bool]:
    """A value as the text to look at, if it is one; and whether it looks drawn at random."""
    if isinstance(value, int):
        fifteen = 10**14 <= value < 10**15  # all that a number can look like
        return str(value) if fifteen else None, value.bit_length() >= _LONG_NUMBER and not _moment(value)
    if not isinstance(value, bytes):
        return None, False
    if isinstance(avro_type, Fixed) and avro_type.logical == "uuid":
        digits = value.hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])), False
    text = value[:_MOST_READ].decode("utf-8", "replace")
    if isinstance(avro_type, Primitive) and avro_type.name == "string":
        text = " ".join(text.split())  # the breaks of a longer text
    elif not text.isprintable():
        return None, len(value) >= _LONG_BYTES
    return text, len(text) >= _LONG_TEXT and _random(text)


def _random(text: str) -> bool:
    """Whether a text looks drawn at random: one word of letters and digits, with few repetitions."""
    if not any(char.isdigit() for char in text) or not any(char.isalpha() for char in text) or " " in text:
        return False
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) >= _RANDOM_BITS


def _moment(number: int) -> bool:
    """Whether a number can be a time from 2015 to 2040, in milliseconds, microseconds or nanoseconds."""
    return any(1_420_070_400 * unit <= number < 2_208_988_800 * unit for unit in (1_000, 1_000_000, 1_000_000_000))
