"""Breaks the minimizer on purpose: one line of one of its modules is replaced for as long as a test runs.

The changed source is executed in a module of its own, and every module of the room that holds one of the functions or
classes defined there gets the changed one instead. Only works on uncompiled modules.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

import pipelines.minimize

ROOM = ("wire", "sinks", "walk", "leaves", "containers", "actions", "compile", "program")


def mutate(monkeypatch: pytest.MonkeyPatch, module: str, line: str, changed: str) -> None:
    """Replace `line`, which must occur once in the module, by `changed`; undone by `monkeypatch`."""
    original = importlib.import_module(f"pipelines.minimize.{module}")
    path = Path(str(original.__file__))
    if path.suffix != ".py":
        pytest.skip("the minimizer is compiled here; mutants are of its source")
    source = path.read_text(encoding="utf-8")
    assert source.count(line) == 1, "the line to break is no longer there, or there twice"
    mutant = ModuleType(original.__name__)
    exec(compile(source.replace(line, changed), path.name, "exec"), vars(mutant))  # noqa: S102 - our own source
    rooms = [pipelines.minimize, *(importlib.import_module(f"pipelines.minimize.{name}") for name in ROOM)]
    for name, value in vars(mutant).items():
        if getattr(value, "__module__", None) == original.__name__:
            old = vars(original)[name]
            for holder in rooms:
                if vars(holder).get(name) is old:
                    monkeypatch.setattr(holder, name, value)
