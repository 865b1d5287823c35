"""Tests and measurements give the project what it is to use, and replace no private name of its."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted([*ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")])

# (file, name) -> why a test may replace that private name.
EXEMPT = {
    ("tests/relay/test_mutants.py", "_recover"): "a mutant: a worker that does not read a failed batch again",
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def patched(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each private attribute that code replaces on another object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"setattr", "delattr", "patch", "object", "setitem"}:
                texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                for text in (each for each in texts if isinstance(each, str)):
                    yield from ((node.lineno, part) for part in text.split(".") if is_private(part))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            if is_private(node.attr) and not own:
                yield node.lineno, node.attr


def test_no_test_replaces_a_private_name_of_the_project() -> None:
    found = {
        (file.relative_to(ROOT).as_posix(), name): line
        for file in TESTS
        for line, name in patched(ast.parse(file.read_text()))
    }
    said = [f"{file}:{line} replaces {name}" for (file, name), line in found.items() if (file, name) not in EXEMPT]
    assert said == [], "give what is replaced as an argument, or as a field of a settings object"
    assert found.keys() >= EXEMPT.keys(), "an exemption that nothing needs"


@pytest.mark.parametrize(
    "code",
    [
        'monkeypatch.setattr(hanging, "_WAIT_S", 1)',
        'monkeypatch.setattr("pipelines.relay.hanging._WAIT_S", 1)',
        'monkeypatch.setattr("pipelines._inner.hanging.WAIT_S", 1)',
        'monkeypatch.delattr(hanging, "_WAIT_S")',
        'setattr(worker, "_recover", nothing)',
        'patch("pipelines.relay.hanging._WAIT_S", 1)',
        'mock.patch.object(hanging, "_WAIT_S", 1)',
        "looking._admin = Fake()",
        "worker.inbox._books, rest = {}, 1",
        "looking._count += 1",
        "del looking._reader",
    ],
)
def test_each_way_to_replace_a_private_name_is_seen(code: str) -> None:
    assert [is_private(name) for _, name in patched(ast.parse(code))] == [True]


@pytest.mark.parametrize(
    "code",
    [
        'monkeypatch.setattr(os, "fsync", watched)',
        "self._admin = Fake()",
        "fault.__cause__ = KeyError()",
        "worker.books = {}",
        "seen = looking._admin",
    ],
)
def test_what_is_no_replacement_is_left_alone(code: str) -> None:
    assert list(patched(ast.parse(code))) == []
