"""Floats: numbers as a float or double field holds them (IEEE 754 binary32 and binary64).

A text is rounded once, to the nearest number of the type, ties to even. Rounding it to a double first and to a float
then could give another float.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Final, Literal

FloatName = Literal["float", "double"]
_FORMS: Final = {"float": ("<f", "<i"), "double": ("<d", "<q")}


def nearest(said: Fraction, name: str) -> float | None:
    """Return the number of a float or double field that is nearest to a fraction; None if it is too large for one."""
    try:
        close = _stored(float(said), name)
    except OverflowError:
        return None
    some = [one for one in (close, next_below(close, name), next_above(close, name)) if math.isfinite(one)]
    return min(some, key=lambda one: (abs(Fraction(one) - said), _bits(one, name) & 1)) + 0.0  # no -0.0


def next_below(value: float, name: str) -> float:
    """Return the greatest number of the type below a finite one of it; minus infinity below the least."""
    bits = _bits(value, name)
    if value == 0:
        return -_number(1, name)
    return _number(bits - 1, name) if value > 0 else -_number(_bits(-value, name) + 1, name)


def next_above(value: float, name: str) -> float:
    """Return the least number of the type above a finite one of it; infinity above the greatest."""
    return -next_below(-value, name)


def _stored(value: float, name: str) -> float:
    form = _FORMS[name][0]
    stored: float = struct.unpack(form, struct.pack(form, value))[0]
    return stored


def _bits(value: float, name: str) -> int:
    number, whole = _FORMS[name]
    bits: int = struct.unpack(whole, struct.pack(number, value))[0]
    return bits


def _number(bits: int, name: str) -> float:
    number, whole = _FORMS[name]
    value: float = struct.unpack(number, struct.pack(whole, bits))[0]
    return value
