"""A change: one thing that is not as it was, whether privacy gets worse or better by it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Direction(StrEnum):
    """What a change does to the people whom the data is about. What cannot be compared is worse."""

    WORSE = "worse"
    BETTER = "better"
    NEUTRAL = "neutral"

    def turned(self) -> Direction:
        """The direction of the way back."""
        return {Direction.WORSE: Direction.BETTER, Direction.BETTER: Direction.WORSE}.get(self, self)


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    `where` names the thing, `what` says what became of it, `why` why that is worse, better or neither. `purposes` are
    those that it concerns, `subject` is `raw`, `quarantine` or `changes` where it concerns these topics. `received`
    says that it is part of what a review covers.
    """

    direction: Direction
    where: str
    what: str
    why: str
    purposes: frozenset[str] = frozenset()
    received: bool = False
    subject: str = ""


Changes = Iterator[Change]
ORDER: Final = (Direction.WORSE, Direction.BETTER, Direction.NEUTRAL)


def by_size(old: int, new: int) -> Direction:
    """Worse when a number that should be small grows."""
    if new == old:
        return Direction.NEUTRAL
    return Direction.WORSE if new > old else Direction.BETTER


@dataclass(frozen=True, slots=True)
class Place:
    """Where changes are, for whom, and whether a review covers them: makes the changes of one thing."""

    where: str
    purposes: frozenset[str] = frozenset()
    received: bool = False
    subject: str = ""

    def change(self, direction: Direction, what: str, why: str) -> Change:
        """A change of this thing."""
        return Change(direction, self.where, what, why, self.purposes, self.received, self.subject)

    def members(self, what: str, old: tuple[str, ...], new: tuple[str, ...], why: str) -> Changes:
        """Changes of a set of which fewer is better, one for each member that came or went."""
        for name in sorted(set(new) - set(old)):
            yield self.change(Direction.WORSE, f"{what} added: {name}", f"one more {why}")
        for name in sorted(set(old) - set(new)):
            yield self.change(Direction.BETTER, f"{what} removed: {name}", f"one less {why}")

    def text(self, what: str, old: object, new: object, why: str) -> Changes:
        """A change of a text that only a person can judge."""
        if old != new:
            yield self.change(Direction.NEUTRAL, f"{what}: {old} → {new}", why)
