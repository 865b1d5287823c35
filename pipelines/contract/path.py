"""Paths: how a policy names a raw field.

    path := step ("." step)*        step := FIELD | FIELD[] | FIELD{"key"} | FIELD{}

`FIELD[]` means each item of an array, `FIELD{"key"}` one entry of a map (keys match without regard to ASCII case), and
`FIELD{}`, which only `never` may say and only at a path's end, the keys of a map and nothing under them.
Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = re.compile(
    r"""(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<items>\[\])|\{"(?P<key>[^"\\\x00-\x1f\x7f]{1,64})"\}|(?P<keys>\{\}))?""",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a field.

    Or each item of an array field (`items`), one entry of a map field (`key`, lower case), a map field's keys (`keys`).
    """

    field: str
    items: bool = False
    key: str | None = None
    keys: bool = False

    def __str__(self) -> str:
        if self.items:
            return f"{self.field}[]"
        if self.keys:
            return f"{self.field}{{}}"
        return self.field if self.key is None else f'{self.field}{{"{self.key}"}}'


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path; `str()` gives its normal spelling."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.steps))

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path.

        Raises:
            ValueError: the text is no path; the message says at which character.
        """
        steps, at = [], 0
        while True:
            match = _STEP.match(text, at)
            if match is None:
                raise ValueError(f'expected FIELD, FIELD[] or FIELD{{"key"}} at character {at + 1}')
            key = match["key"]
            items, keys = match["items"] is not None, match["keys"] is not None
            steps.append(Step(match["field"], items, None if key is None else ascii_lower(key), keys))
            at = match.end()
            if at == len(text):
                return cls(tuple(steps))
            if text[at] != ".":
                raise ValueError(f"expected '.' at character {at + 1}")
            at += 1


def ascii_lower(text: str) -> str:
    """Lower-case A-Z only, as HTTP compares field names (RFC 9110 section 5.1)."""
    return text.translate(_ASCII_LOWER)


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
