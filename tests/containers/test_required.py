"""A check that was to run containers, and ran none, has failed."""

import os
import subprocess
import sys

import pytest

from tests.support.container_engine import ROOT
from tests.support.unsteady import ALONE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("wish", "exit_code"),
    [
        ({"PIPELINES_CONTAINERS": "required"}, 1),
        ({"PIPELINES_CONTAINERS": ""}, 0),
        ({"PIPELINES_CONTAINERS": "required", ALONE: "1"}, 0),
    ],
    ids=["required", "not required", "a second attempt of one test"],
)
def test_a_run_without_a_container_test_fails_where_one_was_required(wish: dict[str, str], exit_code: int) -> None:
    one = "tests/house/test_rooms.py::test_the_decision_record_and_the_import_contracts_name_the_same_rooms"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one],
        cwd=ROOT,
        env={**os.environ, **wish},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == exit_code
    assert ("no container test ran" in ended.stdout) is bool(exit_code)
    assert "1 passed" in ended.stdout
