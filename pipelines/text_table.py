"""Tables of text as every command prints them: columns where they fit, else one block a row; no name is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_GAP: Final = 2
_LEAST_PROSE: Final = 24  # columns: text that would get fewer is hard to read, and stands below its name instead
_LONGEST_NAME: Final = 60  # columns
_WORD: Final = re.compile(r"\S+\s*")
_PIECE: Final = re.compile(r"[^,]*,+|[^,]+")

Cell = str | Text


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows in columns, as a rich renderable. Print with `soft_wrap=True`: rich must not crop a word that is too wide.

    Attributes:
        rows: cells; a row may have fewer than the others.
        head: the columns' names; () for none.
        indent: the number of spaces before each line.
        right: the indices of the columns that are set to the right.
        styles: the columns' styles, as rich spells them; a Text keeps its own.
    """

    rows: Sequence[Sequence[Cell]]
    head: Sequence[str] = ()
    indent: int = 0
    right: frozenset[int] = frozenset()
    styles: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> Iterator[Text]:
        """Yield the table's lines, none wider than `width` columns unless a single word is."""
        for line in self._laid_out(width - self.indent):
            line.no_wrap, line.overflow = True, "ignore"
            yield Text(" " * self.indent, no_wrap=True, overflow="ignore").append_text(line)

    def _laid_out(self, width: int) -> Iterator[Text]:
        rows = [[self._cell(cell, at) for at, cell in enumerate(row)] for row in self.rows]
        head = [Text(name, "dim") for name in self.head]
        widths = _widths([head, *rows] if head else rows, width)
        if widths is None:
            yield from self._blocks(rows, width)
            return
        for row in [head, *rows] if head else rows:
            yield from self._columns(row, widths)

    def _cell(self, cell: Cell, at: int) -> Text:
        style = self.styles[at] if at < len(self.styles) else ""
        return Text(cell, style) if isinstance(cell, str) else cell

    def _columns(self, row: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
        wrapped_cells = [wrapped(cell, width) for cell, width in zip(row, widths, strict=False)]
        for parts in zip_longest(*wrapped_cells, fillvalue=Text()):
            line = Text()
            for at, (part, width) in enumerate(zip(parts, widths, strict=False)):
                pad = " " * (width - part.cell_len)
                line.append(" " * _GAP if at else "")
                line.append_text(Text(pad) + part if at in self.right else part + Text(pad))
            line.rstrip()
            yield line

    def _blocks(self, rows: Sequence[Sequence[Text]], width: int) -> Iterator[Text]:
        """The first cell of a row on a line of its own, the others below it, each with its column's name."""
        label_width = max((cell_len(name) for name in self.head[1:]), default=-_GAP) + _GAP
        for row in rows:
            first, *others = row
            yield from wrapped(first, width)
            for at, cell in enumerate(others, 1):
                if not cell:
                    continue
                label = self.head[at] if self.head else ""
                for number, part in enumerate(wrapped(cell, width - 2 * _GAP - label_width)):
                    lead = f"{' ' * 2 * _GAP}{'' if number else label:{label_width}}"
                    yield Text.assemble((lead, "dim")).append_text(part)


def wrapped(text: Text, width: int, hang: int = 0) -> list[Text]:
    """Return the lines of a text, broken at spaces; a word that is too wide is broken behind its commas only.

    Args:
        text: one line or more; each is broken on its own.
        width: the most columns of a line.
        hang: the number of spaces before each further line of a broken one.
    """
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        lines.extend(_broken(line, width, hang))
    return lines


def _broken(line: Text, width: int, hang: int) -> list[Text]:
    breaks: list[int] = []
    used = lead = len(line.plain) - len(line.plain.lstrip())
    for begin, piece in _pieces(line.plain, width - hang):
        if used > lead and used + cell_len(piece.rstrip()) > width - (hang if breaks else 0):
            breaks.append(begin)
            used = lead = 0
        used += cell_len(piece)
    parts = line.divide(breaks) if breaks else [line.copy()]
    for part in parts:
        part.rstrip()
    return [parts[0], *(Text(" " * hang).append_text(part) for part in parts[1:])]


def _pieces(text: str, width: int) -> Iterator[tuple[int, str]]:
    for found in _WORD.finditer(text):
        word = found.group()
        if cell_len(word.rstrip()) <= width:
            yield found.start(), word
        else:
            yield from ((found.start() + piece.start(), piece.group()) for piece in _PIECE.finditer(word))


def _widths(rows: Sequence[Sequence[Text]], room: int) -> list[int] | None:
    """The columns' widths within the room; None when words or prose would have to be broken for it."""
    columns = [[cell for cell in column if cell is not None] for column in zip_longest(*rows)]
    widths = [max(map(_width, column)) for column in columns]
    least = [
        max(min(wide, _LEAST_PROSE), *map(_longest_word, column)) for wide, column in zip(widths, columns, strict=True)
    ]
    over = sum(widths) + _GAP * (len(widths) - 1) - room
    while over > 0:
        at = max(range(len(widths)), key=lambda each: widths[each] - least[each])
        if widths[at] <= least[at]:
            return None
        cut = min(over, widths[at] - least[at])
        widths[at] -= cut
        over -= cut
    return widths


def _width(cell: Text) -> int:
    return max(map(cell_len, cell.plain.split("\n")))


def _longest_word(cell: Text) -> int:
    """The most columns that a word takes which must not be broken; a path of a file may go over the edge."""
    found = (cell_len(piece.rstrip()) for word in cell.plain.split() for piece in _PIECE.findall(word))
    return max((columns for columns in found if columns <= _LONGEST_NAME), default=0)
