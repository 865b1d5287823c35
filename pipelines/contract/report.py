"""The report: where every stage of loading notes the mistakes it meets, and goes on.

A mistake has the id of the check it fails; its severity is looked up in the registry when loading ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from pipelines.contract.findings import Position

_LONGEST = 120
_MOST_COMPARED = 256  # comparing takes a while for each name


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, and how to fix it."""

    position: Position
    message: str
    remedy: str


@dataclass(slots=True)
class Report:
    """Mistakes so far, each with its check's id, in the order in which they were met."""

    mistakes: list[tuple[str, Mistake]] = field(default_factory=list)

    def add(self, check: str, position: Position, message: str, remedy: str) -> None:
        """Note a mistake."""
        self.mistakes.append((check, Mistake(position, message, remedy)))

    def __len__(self) -> int:
        return len(self.mistakes)


def shown(text: str) -> str:
    """A text from a file as a message may quote it: on one line, printable, not long."""
    quoted = ascii(text) if not text.isprintable() else f"'{text}'"
    return quoted if len(quoted) <= _LONGEST else f"{quoted[: _LONGEST - 1]}…"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 mistake`, `2 mistakes`, `1,000 views`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def meant(wrong: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name, or the known names when there are few, or nothing."""
    names = sorted(set(known))
    close = get_close_matches(wrong[:_LONGEST], names, n=1) if len(names) <= _MOST_COMPARED else []
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(names)}." if 0 < len(names) <= 16 else ""  # noqa: PLR2004 - more would not be read
