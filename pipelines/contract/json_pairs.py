"""Pairs: a character that JSON escapes as two surrogates, respelled for a YAML parser, and where it was in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_BEGINS: Final = re.compile(r"\\u[Dd][89ABab]")
_ESCAPE: Final = re.compile(r"\\(?:u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|.)")
_SHORTER_BY: Final = len("\\ud83d\\ude00") - len("\\U0001f600")


@dataclass(frozen=True, slots=True)
class Respelled:
    """A text for the YAML parser, and where it is shorter than the file: line -> columns, from 0, in this text."""

    text: str
    shorter_at: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def column(self, line: int, column: int) -> int:
        """Return the column in the file, from 0, of a place in this text."""
        return column + _SHORTER_BY * sum(at <= column for at in self.shorter_at.get(line, ()))


def respell_pairs(text: str) -> Respelled:
    r"""Spell a character that JSON escapes as a surrogate pair as YAML does: `\ud83d\ude00` as `\U0001f600`."""
    if _BEGINS.search(text) is None:
        return Respelled(text)
    lines, shorter_at = [], {}
    for number, line in enumerate(text.split("\n")):
        parts, at, found = [], 0, list[int]()
        for escape in _ESCAPE.finditer(line):
            if escape[1] is not None:
                parts += [line[at : escape.start()], f"\\U{_code_point(escape[1], escape[2]):08x}"]
                at = escape.end()
                found.append(sum(map(len, parts)))
        if found:
            shorter_at[number] = tuple(found)
        lines.append("".join([*parts, line[at:]]))
    return Respelled("\n".join(lines), shorter_at)


def _code_point(high: str, low: str) -> int:
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
