"""Nodes: a contract file after parsing, before it means anything. Every key and value knows its place.

Scalars stay text here; they take their type from what they are used for. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.contract.findings import Position


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. `plain` says that it stood without quotes (which is how JSON tells `1` from `"1"`)."""

    text: str
    position: Position
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Mapping:
    """Entries in the file's order; keys are unique."""

    entries: tuple[tuple[Scalar, Node], ...]
    position: Position

    def get(self, key: str) -> Node | None:
        """The value of that key, or None."""
        return next((value for name, value in self.entries if name.text == key), None)

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        return iter(self.entries)


Node = Scalar | Sequence | Mapping


def kind(node: Node) -> str:
    """What a person calls this kind of node."""
    match node:
        case Scalar():
            return "a value"
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
