"""Python processes that the package starts: none of them imports from the current folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pipelines"
# `multiprocessing` and executors of processes start `python -c`, which has the current folder on its import path.
STARTERS = {"multiprocessing", "ProcessPoolExecutor", "runpy", "spawnv", "execv", "system"}


def _unsafe(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    safe = {
        id(node.elts[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple | ast.List)
        and len(node.elts) > 1
        and isinstance(node.elts[1], ast.Constant)
        and node.elts[1].value == "-P"
    }
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="executable" | "_base_executable") if id(node) not in safe:
                yield f"line {node.lineno}: an interpreter without -P"
            case ast.Import(names=names) | ast.ImportFrom(module=_, names=names):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
                words = {module.partition(".")[0], *(alias.name.partition(".")[0] for alias in names)}
                yield from (f"line {node.lineno}: {word}" for word in sorted(words & STARTERS))
            case ast.Attribute(attr=name) if name in STARTERS:
                yield f"line {node.lineno}: {name}"


def test_no_python_process_is_started_that_looks_into_the_current_folder() -> None:
    found = {file: list(_unsafe(file.read_text(encoding="utf-8"))) for file in PACKAGE.rglob("*.py")}
    assert found
    assert {file.name: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "run([sys.executable, '-m', 'x'])",
        "run((sys.executable,))",
        "python = sys.executable",
        "import multiprocessing.pool",
        "from multiprocessing import get_context",
        "from concurrent.futures import ProcessPoolExecutor",
        "concurrent.futures.ProcessPoolExecutor()",
        "os.system('python -m x')",
    ],
)
def test_such_a_process_would_be_found(source: str) -> None:
    assert list(_unsafe(source)) != []
