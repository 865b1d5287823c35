"""Pages as HTML: one file each that needs no other file, no network and no script.

The page is built as a tree and written by the standard library, which escapes every text and attribute; nothing here
puts markup together from text. Colours follow the reader's system, wide tables scroll on their own, print has no boxes.
"""

from __future__ import annotations

from typing import Final, assert_never
from xml.etree.ElementTree import Element, SubElement, tostring

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

ENDING: Final = ".html"
# No script, no other origin, no form: whatever a contract's text tries, a browser fetches and runs nothing.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5a6475; --paper: #ffffff; --line: #d9dee6; --code: #f2f4f8;
  --link: #0b5cad; --head: #f7f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --soft: #9aa5b5; --paper: #14181f; --line: #323a47;
  --code: #1f2530; --link: #7db7f2; --head: #1a1f28; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
p, li { max-width: 46rem; }
li { margin: .25rem 0; }
a { color: var(--link); }
nav { font-size: .9rem; }
code, pre { font: .86em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--code); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .8rem 1rem; overflow-x: auto; }
pre code { padding: 0; background: none; font-size: 1em; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border: 1px solid var(--line); min-width: 5rem; }
thead th { background: var(--head); position: sticky; top: 0; }
.facts th { color: var(--soft); font-weight: 500; border-left: 0; white-space: nowrap; }
.facts td { border-right: 0; }
td > div + div { margin-top: .3rem; }
td code, td:first-child a { white-space: nowrap; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { body { font-size: 15px; } .facts th { white-space: normal; } td { min-width: 8rem; }
  td code, td:first-child a { white-space: normal; } }
@media print { body { max-width: none; font-size: 10pt; padding: 0; } nav { display: none; } a { color: inherit; }
  .wide, pre { overflow: visible; } pre { white-space: pre-wrap; } tr, pre { break-inside: avoid; }
  h2, h3 { break-after: avoid; } td code, td:first-child a { white-space: normal; }
  th, td { min-width: 0; } thead th { position: static; } }
"""


def as_html(page: Page) -> str:
    """The page's text; ends in a line break."""
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = page.title
    SubElement(head, "style").text = _STYLE
    body = SubElement(html, "body")
    if page.name != "index":
        _into(SubElement(body, "nav"), page, (Link("All pages", "index"),))
    main = SubElement(body, "main")
    SubElement(main, "h1").text = page.title
    for block in page.blocks:
        _block(main, page, block)
    SubElement(body, "footer").text = "Made from the contract by pipelines docs."
    for element in html.iter():
        if element.tag in _OWN_LINE:
            element.tail = "\n"
    return f"<!DOCTYPE html>\n{MARK}\n{tostring(html, encoding='unicode', method='html')}\n"


_OWN_LINE: Final = frozenset(
    ("head", "meta", "title", "style", "nav", "main", "h1", "h2", "h3", "p", "ul", "li", "tr", "div", "pre", "footer")
)


def _block(parent: Element, page: Page, block: Block) -> None:
    match block:
        case Heading(level, text):
            SubElement(parent, f"h{level}").text = text
        case Paragraph(parts):
            _into(SubElement(parent, "p"), page, parts)
        case Bullets(lines):
            bullets = SubElement(parent, "ul")
            for parts in lines:
                _into(SubElement(bullets, "li"), page, parts)
        case Table():
            _table(SubElement(parent, "div", {"class": "wide"}), page, block)
        case Listing(_, text):
            SubElement(SubElement(parent, "pre"), "code").text = text.rstrip()
        case _:
            assert_never(block)


def _table(parent: Element, page: Page, block: Table) -> None:
    table = SubElement(parent, "table", {} if block.head else {"class": "facts"})
    if block.head:
        row = SubElement(SubElement(table, "thead"), "tr")
        for title in block.head:
            SubElement(row, "th", scope="col").text = title
    rows = SubElement(table, "tbody")
    for cells in block.rows:
        row = SubElement(rows, "tr")
        for at, lines in enumerate(cells):
            names = not block.head and at == 0
            inside = SubElement(row, "th", scope="row") if names else SubElement(row, "td")
            for parts in lines:
                _into(SubElement(inside, "div") if len(lines) > 1 else inside, page, parts)


def _into(parent: Element, page: Page, parts: Line) -> None:
    """Put a line's parts into an element, in order."""
    last: Element | None = None
    for part in parts:
        if isinstance(part, str):
            if last is None:
                parent.text = (parent.text or "") + part
            else:
                last.tail = (last.tail or "") + part
        else:
            last = _inline(parent, page, part)


def _inline(parent: Element, page: Page, part: Inline) -> Element:
    match part:
        case Code(text):
            element = SubElement(parent, "code")
            element.text = text
        case Strong(text):
            element = SubElement(parent, "strong")
            element.text = text
        case Link(text, there):
            element = SubElement(parent, "a", href=to_page(page, there, ENDING))
            element.text = text
        case _:
            raise TypeError("a text is not an element")
    return element
