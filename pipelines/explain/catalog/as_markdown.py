"""Pages as Markdown (GitHub's, for its tables). Nothing that a contract says is markup: all of it is escaped.

A cell's lines are parted by `<br>`, since a table's row is one line of text; no other HTML is ever written.
"""

from __future__ import annotations

import re
from typing import Final, assert_never

from pipelines.explain.catalog.page import (
    MARK,
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Line,
    Link,
    Listing,
    Page,
    Paragraph,
    Strong,
    Table,
    to_page,
)
from pipelines.explain.markdown import escaped

ENDING: Final = ".md"
# What would begin a list, a quotation's rule or a heading's underline at the start of a line.
_BEGINS: Final = re.compile(r"([-+=]|\d{1,9}(?=[.)]))")
_TICKS: Final = re.compile("`+")


def as_markdown(page: Page) -> str:
    """The page's text; ends in a line break."""
    parts = [MARK, f"# {escaped(page.title)}", *(_block(page, block) for block in page.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(page: Page, block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escaped(text)}"
        case Paragraph(parts):
            return _from_start(_line(page, parts))
        case Bullets(lines):
            return "\n".join(f"- {_from_start(_line(page, parts))}" for parts in lines)
        case Table(head, rows):
            columns = len(head) or len(rows[0])
            titles = [escaped(title) for title in head] or [" "] * columns
            shown = [_row(titles), _row(["-"] * columns)]
            shown += [
                _row(["<br>".join(_line(page, one, in_table=True) for one in cell) for cell in row]) for row in rows
            ]
            return "\n".join(shown)
        case Listing(language, content):
            fence = "`" * max(3, _longest(content) + 1)
            return f"{fence}{language}\n{content.rstrip()}\n{fence}"
    assert_never(block)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _line(page: Page, parts: Line, *, in_table: bool = False) -> str:
    return "".join(_inline(page, part, in_table=in_table) for part in parts)


def _inline(page: Page, part: Inline, *, in_table: bool) -> str:
    match part:
        case str():
            return _spaced(part, escaped(part))
        case Code(text):
            return _code(text, in_table=in_table)
        case Strong(text):
            return _spaced(text, f"**{escaped(text)}**")
        case Link(text, there):
            return f"[{escaped(text)}]({to_page(page, there, ENDING)})"
    assert_never(part)


def _spaced(text: str, shown: str) -> str:
    """What is shown of a text, with the spaces that were around it: next to one, `**` would be no markup."""
    before = " " if text[:1].isspace() else ""
    after = " " if text.strip() and text[-1:].isspace() else ""
    return f"{before}{shown}{after}"


def _code(text: str, *, in_table: bool) -> str:
    """A code span (CommonMark 0.31 section 6.1); in a table, a bar is escaped within one, too."""
    flat = " ".join(text.split())
    ticks = "`" * (_longest(flat) + 1)
    room = " " if flat.startswith("`") or flat.endswith("`") else ""
    shown = flat.replace("|", "\\|") if in_table else flat
    return f"{ticks}{room}{shown}{room}{ticks}"


def _from_start(text: str) -> str:
    found = _BEGINS.match(text)
    if found is None:
        return text
    at = 0 if found[1] in "-+=" else found.end()
    return f"{text[:at]}\\{text[at:]}"


def _longest(text: str) -> int:
    return max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
