"""Whatever a page's texts hold, both formats say the same, and nothing in them is markup."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.explain.catalog.as_html import as_html
from pipelines.explain.catalog.as_markdown import as_markdown
from pipelines.explain.catalog.page import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Link,
    Listing,
    Page,
    Paragraph,
    Strong,
    Table,
)
from tests.support.pages import Seen, of_markdown

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![a](http://example.org/a.png)",
    "a | b | c",
    "`a` ``b`` \\`c",
    "- a",
    "1. a",
    "# a",
    "> a",
    "***a***",
    "&lt;b&gt; &amp;amp;",
    "a\n\nb <!-- c -->",
    "<https://example.org>",
    "---",
    "```",
    "_a_ __b__ ~~c~~ \\",
)
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12),
)
WORDS = st.lists(TEXTS, min_size=1, max_size=3).map(" ".join)
INLINES: st.SearchStrategy[Inline] = st.one_of(
    WORDS, WORDS.map(Code), WORDS.map(Strong), WORDS.map(lambda text: Link(text, "topics/a.b"))
)
# Parts of a line stand apart: what two of them make together is the page's own choice of words, not a contract's.
LINES = st.lists(INLINES, min_size=1, max_size=3).map(
    lambda parts: tuple(x for part in parts for x in (part, " "))[:-1]
)
CELLS = st.lists(LINES, min_size=1, max_size=2).map(tuple)
BLOCKS: st.SearchStrategy[Block] = st.one_of(
    WORDS.map(lambda text: Heading(2, text)),
    LINES.map(Paragraph),
    st.lists(LINES, min_size=1, max_size=3).map(lambda lines: Bullets(tuple(lines))),
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3).map(lambda rows: Table(("a", "b"), tuple(rows))),
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3).map(lambda rows: Table((), tuple(rows))),
    WORDS.map(lambda text: Listing("json", text)),
)
PAGES = st.builds(Page, st.just("events/a.b"), WORDS, st.lists(BLOCKS, max_size=4).map(tuple))


@given(PAGES)
@example(Page("a", "t", (Table(("h",), ((((Code("a|b`"),),),),)),)))
def test_both_formats_of_a_page_say_the_same(page: Page) -> None:
    assert of_markdown(as_markdown(page)).text == Seen(as_html(page)).text


@given(PAGES)
def test_no_text_of_a_page_is_ever_markup(page: Page) -> None:
    html, markdown = Seen(as_html(page)), of_markdown(as_markdown(page))
    assert not html.faults
    assert not {"script", "img", "iframe", "b"} & {*html.elements, *markdown.elements}
    links = [part for block in page.blocks for part in _links(block)]
    assert len(markdown.links) == len(links)
    assert set(markdown.links) <= {"../topics/a.b.md"}
    assert set(html.links) <= {"../topics/a.b.html", "../index.html"}
    own = {"href", "align", "class", "scope", "lang", "charset", "name", "content", "http-equiv", "style"}
    assert {name for name, _ in (*html.attributes, *markdown.attributes)} <= own


def _links(block: Block) -> list[Inline]:
    match block:
        case Paragraph(parts):
            lines = [parts]
        case Bullets(told):
            lines = list(told)
        case Table(_, rows):
            lines = [one for row in rows for cell in row for one in cell]
        case _:
            lines = []
    return [part for parts in lines for part in parts if isinstance(part, Link)]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_was_written(text: str) -> None:
    page = Page("index", text, (Paragraph((text,)), Table(("a",), ((((text,),),),)), Bullets(((text,),))))
    shown = " ".join([" ".join(text.split())] * 2 + ["a"] + [" ".join(text.split())] * 2)
    assert Seen(as_html(page)).text == shown
    assert of_markdown(as_markdown(page)).text == shown
