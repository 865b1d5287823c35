"""What import contracts cannot say of the rooms: what is pure stays so, and the table names what is there."""

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pipelines"
TYPES = ["model", "avro", "path", "actions", "findings"]
PURE = [*sorted((PACKAGE / "minimize").glob("*.py")), PACKAGE / "retention.py"]


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("name", TYPES)
def test_the_contracts_types_import_the_standard_library_and_each_other_alone(name: str) -> None:
    allowed = {f"pipelines.contract.{other}" for other in TYPES}
    strangers = {
        module
        for module in _imports(PACKAGE / "contract" / f"{name}.py")
        if module not in allowed and module.partition(".")[0] not in sys.stdlib_module_names
    }
    assert not strangers


@pytest.mark.parametrize("file", PURE, ids=lambda file: file.stem)
def test_pure_rooms_open_nothing_print_nothing_and_compile_nothing_at_run_time(file: Path) -> None:
    forbidden = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & forbidden


def test_an_import_that_no_line_allows_is_found(tmp_path: Path) -> None:
    for file in (ROOT / ".importlinter", *PACKAGE.rglob("*.py")):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    with (tmp_path / "pipelines/minimize/walk.py").open("a") as walk:
        walk.write("\nimport time\n")
    with (tmp_path / "pipelines/explain/story.py").open("a") as story:
        story.write("\nimport confluent_kafka\nimport pipelines.broker\n")
    (tmp_path / "pipelines/newroom").mkdir()
    (tmp_path / "pipelines/newroom/__init__.py").write_text("import pipelines.keys\n")
    lint = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([lint, "--no-cache", "--no-logo"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    words = " ".join(found.stdout.split())
    for told in (
        "pipelines.minimize.walk -> time",
        "pipelines.explain.story -> confluent_kafka",
        "pipelines.explain.story -> pipelines.broker",
        "pipelines.newroom -> pipelines.keys",
        "not listed as layers: - pipelines.newroom",
    ):
        assert told in words


def test_the_decision_record_and_the_import_contracts_name_the_same_rooms() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:house"]["layers"].replace("|", " ").split()
    record = (ROOT / "docs/decisions/0001-rooms.md").read_text(encoding="utf-8")
    assert all(f"`{room}" in record for room in layers)


def test_the_walk_loads_no_third_party() -> None:
    code = "import sys; before = set(sys.modules); import pipelines.minimize; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    tops = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert tops - sys.stdlib_module_names == {"pipelines"}
