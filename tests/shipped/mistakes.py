"""docs/mistakes.md as data: each entry's edit of the shipped contract, and what must be found in it.

An edit is a block of lines as `diff` writes them, with a file's name between two @@. Lines that are old, or old and
new, stand in that file exactly once; … at the end of one is the rest of it. `← CHECK` behind a line that is new, or old
and new, says what is found there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/mistakes.md").read_text(encoding="utf-8")
_ENTRY = re.compile(
    r"^### (?P<title>.+?)\n.*?^```diff(?P<bare> as it is)?\n(?P<edit>.*?)^```", re.DOTALL | re.MULTILINE
)
_FILE = re.compile(r"^@@ (\S+) @@$\n", re.MULTILINE)
_REST = "…"
_MARK = re.compile(r" +← ([a-z, -]+)$")


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of one file: what stands there, what then stands there, and the checks that find something, by line."""

    file: str
    old: str
    new: str
    found: tuple[tuple[int, str], ...]

    def apply(self, folder: Path) -> None:
        """Make the edit; a file of which no line is old is made."""
        path = folder / self.file
        text = path.read_text(encoding="utf-8") if self.old else ""
        there = _stand(self.old, text, self.file)
        new = self.new.replace(_REST, there[1] if there.groups() else "")
        path.write_text(text[: there.start()] + new + text[there.end() :], encoding="utf-8")

    def places(self, folder: Path) -> Iterator[str]:
        """What must be found, as `CHECK FILE:LINE` of the edited folder."""
        if self.found:
            text = (folder / self.file).read_text(encoding="utf-8")
            first = text.count("\n", 0, _stand(self.new, text, self.file).start()) + 1
            yield from (f"{check} {self.file}:{first + line}" for line, check in self.found)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the page. `bare`: neither built nor signed anew after the edit."""

    title: str
    bare: bool
    hunks: tuple[Hunk, ...]

    def made(self, to: Path) -> Path:
        """A copy of the shipped contract with the entry's edit."""
        for part in ("schemas", "policies"):
            shutil.copytree(ROOT / part, to / part)
        shutil.copy(ROOT / "topics.yaml", to)
        for hunk in self.hunks:
            hunk.apply(to)
        return to

    def expected(self, folder: Path) -> list[str]:
        """All that must be found in the edited folder, sorted."""
        return sorted(place for hunk in self.hunks for place in hunk.places(folder))


def entries(section: str) -> list[Entry]:
    """The entries below a heading of the page, up to the next heading of that kind."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [Entry(one["title"], bool(one["bare"]), tuple(_hunks(one["edit"]))) for one in _ENTRY.finditer(text)]


def _hunks(edit: str) -> Iterator[Hunk]:
    _, *parts = _FILE.split(edit)
    for file, lines in zip(parts[::2], parts[1::2], strict=True):
        marked = [(line[0], *_marked(line[1:])) for line in lines.splitlines()]
        old = "".join(f"{text}\n" for sign, text, _ in marked if sign in "- ")
        new = [(text, checks) for sign, text, checks in marked if sign in "+ "]
        found = tuple((number, check) for number, (_, checks) in enumerate(new) for check in checks)
        yield Hunk(file, old, "".join(f"{text}\n" for text, _ in new), found)


def _marked(line: str) -> tuple[str, list[str]]:
    mark = _MARK.search(line)
    return (line, []) if mark is None else (line[: mark.start()], mark[1].split(", "))


def _stand(lines: str, text: str, file: str) -> re.Match[str]:
    """Where these lines stand in the text: once."""
    found = list(re.finditer(f"^{re.escape(lines).replace(_REST, '(.*)')}", text, re.MULTILINE))
    assert len(found) == 1 or not lines, f"{len(found)} times in {file}:\n{lines}"
    return found[0]
