"""Reading rendered pages as a person sees them: the words, the elements, where links lead. For tests alone."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

from markdown_it import MarkdownIt

_VOID: Final = frozenset(("meta", "br"))
_UNSEEN: Final = frozenset(("style", "title", "nav", "footer"))


class Seen(HTMLParser):
    """What a browser makes of HTML. `faults` says where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self._open]

    @property
    def links(self) -> list[str]:
        return [value or "" for name, value in self.attributes if name == "href"]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)
        self.words.append(" " if tag in {"br", "p", "div", "td", "th", "li", "pre", "h1", "h2", "h3"} else "")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"{tag} is closed out of order")

    def handle_data(self, data: str) -> None:
        if not _UNSEEN & set(self._open):
            self.words.append(data)


def of_markdown(text: str) -> Seen:
    """What GitHub makes of Markdown; its HTML is let through, so that what was meant as text and is none shows."""
    return Seen(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
