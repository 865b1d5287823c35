"""A page as a value: what it says, before anybody decides whether it becomes HTML or Markdown.

Every text here is plain: nothing in it is markup, whoever wrote it. Turning it into markup safely is the renderers'
matter (`as_html`, `as_markdown`), once for all pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Format = Literal["html", "md"]

MARK: Final = "<!-- Made from the contract by `pipelines docs`. Do not edit. -->"


@dataclass(frozen=True, slots=True)
class Code:
    """A name, a path or a value, shown as it is typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """The word that a line is about."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another page of the catalog, by that page's name."""

    text: str
    page: str


Inline = str | Code | Strong | Link
Line = tuple[Inline, ...]
Cell = tuple[Line, ...]
"""The lines in one cell of a table."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the page's title: level 2 or 3."""

    level: Literal[2, 3]
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    line: Line


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Without `head` it is a list of names and what they stand for."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Text that is typed or printed by a machine; `language` as GitHub calls it."""

    language: str
    text: str


Block = Heading | Paragraph | Bullets | Table | Listing


@dataclass(frozen=True, slots=True)
class Page:
    """A page. `name` is its path in the catalog without an ending, such as `topics/audit.support`."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def line(*parts: Inline) -> Line:
    """A line of text."""
    return parts


def cell(*parts: Inline) -> Cell:
    """A cell of one line."""
    return (parts,)


def joined(parts: list[Inline], separator: str = ", ") -> Line:
    """Parts with a separator between them."""
    spread: list[Inline] = []
    for part in parts:
        spread += [separator, part] if spread else [part]
    return tuple(spread)


def to_page(here: Page, there: str, ending: str) -> str:
    """The relative address of another page."""
    return "../" * here.name.count("/") + there + ending
