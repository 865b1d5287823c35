"""What a wheel is made of: compiled by mypyc where that works, the same modules as plain Python where not.

That the compiled ones keep their promises is tested by `make test-wheel`, on an installed wheel.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPILED = SETTINGS["tool"]["telemetry-pipelines"]["compiled"]
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


def _build(folder: Path, compile_: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "pipelines", folder / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    ended = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder / "dist")],
        cwd=folder,
        env={**os.environ, "CC": "/nonexistent/cc", "PIPELINES_COMPILE": compile_},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended, [wheel.name for wheel in folder.glob("dist/*.whl")]


def test_where_no_compiler_works_the_wheel_is_pure_and_fits_every_machine(tmp_path: Path) -> None:
    ended, wheels = _build(tmp_path, "auto")
    assert ended.returncode == 0, ended.stderr
    assert [name.partition("-py3-")[2] for name in wheels] == ["none-any.whl"]
    assert "no compiled wheel" in ended.stderr


def test_a_compiled_wheel_that_is_demanded_and_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    ended, wheels = _build(tmp_path, "yes")
    assert ended.returncode != 0
    assert not wheels
    assert "PIPELINES_COMPILE=yes" in ended.stderr


@pytest.mark.parametrize("module", COMPILED)
def test_a_module_that_is_compiled_is_there_and_imports_no_third_party(module: str) -> None:
    imported = {
        name
        for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.partition(".")[0] for name in imported} <= {"pipelines", *sys.stdlib_module_names}
