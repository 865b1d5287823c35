"""What the room shows: its values cost nothing to import, and what is promised is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pipelines.contract

VALUES = ("actions", "avro", "findings", "model", "path")


def test_the_contracts_types_import_no_third_party() -> None:
    code = (
        f"import sys\nbefore = set(sys.modules)\nfrom pipelines.contract import {', '.join(VALUES)}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pipelines"]


def test_everything_the_room_promises_is_there() -> None:
    for name in pipelines.contract.__all__:
        assert getattr(pipelines.contract, name) is not None


def test_nothing_else_is() -> None:
    with pytest.raises(AttributeError):
        pipelines.contract.wildcard  # noqa: B018 - to ask is the test
