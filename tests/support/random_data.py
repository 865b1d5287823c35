"""Random values of an Avro type, and their random spellings in Avro's binary encoding: proper, odd and broken.

A datum is: bytes for string, bytes, fixed, float and double; an index for an enum; a list for an array; a list of
(key, value) for a map, which may repeat keys; a dict for a record; None for null.
"""

from __future__ import annotations

import struct
from random import Random
from typing import Any

from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record

WORDS = ("", "a", "b", "ab", "eu-west", "v1.5", "v2.0", "é", "other", "Zürich", "x" * 70, "0", "😀", "ab\x00")
KEYS = ("a", "A", "user-agent", "User-Agent", "k", "K", "é", "É", "", "host")
DEVICES = ("4f6c1ad2-0001", "4f6c1ad2-0002", "é", "d")
EXTREMES = (-(2**63), 2**63 - 1, -(2**31), 2**31 - 1, 0, -1, 1, 63, 64, -64, -65, 8191, 8192)
ODD_REALS = {  # a quiet and a signalling NaN, infinity
    "f": ("0000c07f", "010080ff", "0000807f"),
    "d": ("000000000000f87f", "010000000000f0ff", "000000000000f07f"),
}
DAY = 86_400_000
UNIT = {"timestamp-millis": 1, "timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}


def random_text(rng: Random) -> bytes:
    return rng.choice(WORDS + DEVICES).encode()


def random_number(rng: Random, bits: int, logical: str | None) -> int:
    if logical == "date":
        return rng.choice(
            (20_000 + rng.randrange(2_000), 0, -1, -719_162, 2_932_896, *rng.sample((-719_163, 2_932_897), 1))
        )
    if logical in UNIT and rng.randrange(8) == 0:
        return rng.choice(EXTREMES)
    if logical in UNIT:
        time = 1_790_000_000_000 + rng.randrange(-3 * DAY, 3 * DAY)
        return rng.choice((time, time, time, -1, 0)) * UNIT[logical] + rng.randrange(UNIT[logical])
    pick = rng.randrange(8)
    if pick == 0:
        number = rng.choice(EXTREMES)
        return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else 0
    return rng.randrange(-5, 70) if pick < 6 else rng.randrange(-2_000, 200_000)


def random_real(rng: Random, code: str) -> bytes:
    if rng.randrange(12) == 0:
        return bytes.fromhex(rng.choice(ODD_REALS[code]))
    return struct.pack("<" + code, rng.choice((rng.randrange(-5, 70), rng.random() * 50, -0.0, 1e30)))


def random_datum(rng: Random, avro_type: AvroType) -> Any:
    match avro_type:
        case Primitive(name="boolean"):
            return rng.randrange(2) == 1
        case Primitive(name="int" | "long" as name, logical=logical):
            return random_number(rng, 32 if name == "int" else 64, logical)
        case Primitive(name="float" | "double" as name):
            return random_real(rng, name[0])
        case Primitive(logical="decimal"):
            return rng.choice((b"", b"\x00", rng.randbytes(rng.randrange(1, 4)), b"\x00\x00\x10", rng.randbytes(9)))
        case Primitive():
            return random_text(rng)
        case Enum(symbols=symbols):
            return rng.randrange(len(symbols))
        case Fixed(size=size):
            small = rng.randrange(128).to_bytes(size, "big")
            return rng.choice((small, rng.randbytes(size)))
        case Array(items=items):
            return [random_datum(rng, items) for _ in range(rng.choice((0, 1, 1, 2, 3, 5)))]
        case Map(values=values):
            keys = {key.lower(): key for key in rng.sample(KEYS, rng.choice((0, 1, 2, 4)))}
            return [(key.encode(), random_datum(rng, values)) for key in keys.values()]
        case Nullable(inner=inner):
            return None if rng.randrange(4) == 0 else random_datum(rng, inner)
        case Record(fields=fields):
            return {field.name: random_datum(rng, field.type) for field in fields}


def varint(number: int) -> bytes:
    """An int or long, as short as it goes."""
    rest = number * 2 if number >= 0 else -number * 2 - 1
    form = []
    while rest >= 128:
        form.append(rest % 128 + 128)
        rest //= 128
    return bytes([*form, rest])


class Speller:
    """Writes a datum. `odd`: blocks cut and counted as Avro allows. `broken`: how often in 1000 a thing is wrong."""

    def __init__(self, rng: Random, *, odd: bool = False, broken: int = 0) -> None:
        self.rng = rng
        self.odd = odd
        self.broken = broken
        self.breaks = 0

    def event(self, record: Record, datum: Any, fingerprint: bytes) -> bytes:
        body = self.value(record, datum)
        if self._break():
            at = self.rng.randrange(len(body) + 1)
            odd_byte = bytes([self.rng.choice((0, 1, 2, 127, 128, 255, self.rng.randrange(256)))])
            cut, rest = body[:at], body[at + 1 :]
            body = self.rng.choice((cut, body + odd_byte, cut + odd_byte + rest, cut + rest))
        return b"\xc3\x01" + fingerprint + body

    def value(self, avro_type: AvroType, datum: Any) -> bytes:
        match avro_type:
            case Primitive(name="boolean"):
                return b"\x02" if self._break() else bytes([datum])
            case Primitive(name="int"):
                return self._number(2**31 if self._break() else datum)
            case Primitive(name="long"):
                return self._number(datum)
            case Primitive(name="float" | "double") | Fixed():
                return bytes(datum)
            case Primitive():
                return self._text(datum)
            case Enum(symbols=symbols):
                return self._number(self.rng.choice((-1, len(symbols))) if self._break() else datum)
            case Array(items=items):
                return self._blocks([self.value(items, item) for item in datum])
            case Map(values=values):
                if datum and self._break():
                    datum = [*datum, (datum[0][0].upper(), datum[0][1])]
                return self._blocks([self._text(key) + self.value(values, value) for key, value in datum])
            case Nullable(inner=inner, null_index=null_index):
                if self._break():
                    return self._number(self.rng.choice((2, -1))) + self.value(inner, random_datum(self.rng, inner))
                if datum is None:
                    return self._number(null_index)
                return self._number(1 - null_index) + self.value(inner, datum)
            case Record(fields=fields):
                return b"".join(self.value(field.type, datum[field.name]) for field in fields)

    def _break(self) -> bool:
        broken = self.broken > 0 and self.rng.randrange(1000) < self.broken
        self.breaks += broken
        return broken

    def _number(self, number: int) -> bytes:
        form = varint(number)
        if self._break():
            form = form[:-1] + bytes([form[-1] | 128]) + b"\x80" * self.rng.randrange(3) + b"\x00"
        return form

    def _text(self, text: bytes) -> bytes:
        if self._break():
            text += self.rng.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\xaf"))
        return self._number(-len(text) if text and self._break() else len(text)) + text

    def _blocks(self, items: list[bytes]) -> bytes:
        form, at = b"", 0
        while at < len(items):
            count = self.rng.randrange(1, len(items) - at + 1) if self.odd else len(items) - at
            body = b"".join(items[at : at + count])
            at += count
            if self.odd and self.rng.randrange(2):
                form += self._number(-count) + self._number(len(body) + (1 if self._break() else 0)) + body
            else:
                form += self._number(count + (self.rng.choice((1, 2**30)) if self._break() else 0)) + body
        return form + b"\x00"
