"""What people read of the program uses today's words: messages, help, the Makefile, the README and the pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
OLD: Final = re.compile(
    r"\b(mend(s|ed|ing)?|whoever|for ever|spoilt|aloud|befalls?|heed)\b|\b(is|are) no (?!longer\b|more\b|such\b)",
    re.IGNORECASE,
)
NOT_YET: Final = ("pipelines/contract/checks/reviews.py", "pipelines/contract/linkage/")
"""Where wording is left for a change of the code itself."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The string literals of a module with their lines; docstrings only where click prints them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            printed = isinstance(node, ast.FunctionDef) and any(
                "command" in ast.unparse(d) for d in node.decorator_list
            )
            if not printed:
                silent.add(node.body[0].value)  # type: ignore[attr-defined]  # a docstring is an expression
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.lineno, node.value


def test_no_message_or_help_text_uses_old_words() -> None:
    found = [
        f"{name}:{line}: {text}"
        for path in sorted((ROOT / "pipelines").rglob("*.py"))
        for name in [path.relative_to(ROOT).as_posix()]
        if not name.startswith(NOT_YET)
        for line, text in texts(path)
        if OLD.search(text) and not re.search("[Tt]here (is|are) no", text)
    ]
    assert found == []


def test_the_makefile_and_the_readme_use_no_old_words() -> None:
    for name in ("Makefile", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert re.findall(r"(?i)\b(?:mend|mends|mended|for ever|rooms)\b", text) == [], name
