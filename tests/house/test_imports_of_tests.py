"""Shared tools of tests lie in helper modules: nothing imports a test module or a conftest."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "tests").rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """Yield every dotted name that a source text may import, at any depth of its code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def forbidden(source: str) -> set[str]:
    """Return the imports of a source text that lead to a module which only pytest may load."""
    names = [name for name in imported(source) if name.startswith((".", "tests", "conftest", "test_"))]
    files = {name: [part for part in name.split(".") if part] for name in names}
    return {
        name
        for name, parts in files.items()
        if name.startswith(".") or "conftest" in parts or any(part.startswith("test_") for part in parts)
    }


def test_no_module_of_the_tests_imports_a_test_module_or_a_conftest() -> None:
    assert len(MODULES) > 200
    found = {str(file.relative_to(ROOT)): forbidden(file.read_text(encoding="utf-8")) for file in MODULES}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from tests.relay.test_worker import relay",
        "from tests.relay import test_worker",
        "import tests.relay.test_worker as worker",
        "from tests.conftest import SHORT_TIMINGS",
        "from tests.topics import conftest",
        "from .test_worker import relay",
        "from . import conftest",
        "from conftest import house",
        "def late() -> None:\n    from tests.relay.test_worker import relay",
    ],
)
def test_every_way_to_import_one_is_found(line: str) -> None:
    assert forbidden(line)


@pytest.mark.parametrize("line", ["from tests.support.oracle import expect", "import pytest", "import tests"])
def test_an_import_of_a_helper_is_allowed(line: str) -> None:
    assert not forbidden(line)
