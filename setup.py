"""Builds a wheel whose hot modules mypyc compiles, where a compiler is; else a pure one. Which: pyproject.toml.

Only a wheel is compiled, and only when a compiler here builds an extension that finds `Python.h`. An editable checkout
runs the same modules as plain Python. `PIPELINES_COMPILE=no` gives a pure wheel all the same; with `yes` a compiler
that is missing is an error.
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.dist import Distribution
from setuptools.errors import CompileError

_PROBE: Final = "#include <Python.h>\nPyMODINIT_FUNC PyInit_probe(void) { return NULL; }\n"
# Types are `make lint`'s matter. A build has not all that the modules import, and must not fail for what it lacks.
_TYPES: Final = ("--follow-imports=silent", "--ignore-missing-imports", "--no-warn-unused-ignores")


def can_compile() -> bool:
    """Whether mypyc is here and an extension can be built; why not is said on standard error."""
    if find_spec("mypyc") is None:
        print("setup.py: no compiled wheel: mypyc is not installed", file=sys.stderr)  # noqa: T201 - a build speaks so
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(_PROBE, encoding="ascii")
        build = build_ext(Distribution({"ext_modules": [Extension("probe", [str(source)])]}))
        build.build_lib = build.build_temp = folder
        try:
            build.ensure_finalized()
            build.run()
        except Exception as why:  # noqa: BLE001 - setuptools' errors of compilers have no common base but this
            print(f"setup.py: no compiled wheel: {why}", file=sys.stderr)  # noqa: T201 - a build speaks so
            return False
    return True


def extensions() -> list[Extension]:
    """What is compiled: nothing, unless a wheel is built where that works."""
    wish = os.environ.get("PIPELINES_COMPILE", "auto")
    if not {"bdist_wheel", "build_ext"} & set(sys.argv) or wish == "no":
        return []
    if not can_compile():
        if wish == "yes":
            raise CompileError("PIPELINES_COMPILE=yes, but nothing here compiles an extension")
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - an editable install has no mypy

    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    compiled: list[str] = settings["tool"]["telemetry-pipelines"]["compiled"]
    return mypycify([*_TYPES, *compiled], group_name="pipelines", opt_level="3", debug_level="0")


setup(ext_modules=extensions())
