"""A test on a broker gets a second attempt, alone; a run that needs too many, or fails twice, fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.unsteady import ALONE, MOST

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFTEST = """
import os
import pytest
from tests.support import unsteady
from tests.support.scheduling import FileScheduling

def pytest_addoption(parser):
    parser.addoption("--kafka", default="embedded")

def pytest_configure(config):
    config.addinivalue_line("markers", "broker: runs against a broker")
    if not hasattr(config, "workerinput") and unsteady.ALONE not in os.environ:
        config.pluginmanager.register(unsteady.Unsteady(unsteady.running_alone(config)))

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return FileScheduling(config, log)
"""
# Fails in the run, and passes when it is run alone.
FIRST_ATTEMPT_FAILS = f"""
import os
import pytest

@pytest.mark.broker
@pytest.mark.parametrize("number", range(NUMBER))
def test_on_a_broker(number):
    print("what the first attempt printed")
    assert {ALONE!r} in os.environ, "first attempt"
"""
ALWAYS_FAILS = """
import pytest

@pytest.mark.broker
def test_on_a_broker():
    assert not "broken"
"""
DIES = f"""
import os

def test_before():
    pass

def test_that_dies():
    if {ALONE!r} not in os.environ:
        os.abort()

def test_after():
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_test_that_passes_alone_is_listed_with_both_outputs_and_the_run_passes(
    project: Path, arguments: tuple[str, ...]
) -> None:
    (project / "test_it.py").write_text(FIRST_ATTEMPT_FAILS.replace("NUMBER", "1") + "\ndef test_more():\n    pass\n")
    ended = run(project, *arguments)
    assert ended.returncode == 0, ended.stdout
    last = ended.stdout.splitlines()[-1]
    assert "1 passed" in last
    assert "1 unsteady" in last
    assert "failed" not in last
    for said in ("AssertionError: first attempt", "what the first attempt printed", "passed when it ran alone"):
        assert said in ended.stdout
    assert ended.stdout.count("1 passed in") == 1, "the second attempt's own output"


def test_a_test_that_fails_twice_fails_the_run(project: Path) -> None:
    (project / "test_it.py").write_text(ALWAYS_FAILS)
    ended = run(project)
    assert ended.returncode == 1
    assert "failed again when it ran alone" in ended.stdout
    assert "1 failed" in ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(("number", "exit_code"), [(MOST, 0), (MOST + 1, 1)])
def test_more_than_three_unsteady_tests_fail_the_run(project: Path, number: int, exit_code: int) -> None:
    (project / "test_it.py").write_text(FIRST_ATTEMPT_FAILS.replace("NUMBER", str(number)))
    ended = run(project)
    assert ended.returncode == exit_code, ended.stdout
    assert ("none was run again" in ended.stdout) == (number > MOST)


def test_a_test_without_a_broker_gets_no_second_attempt(project: Path) -> None:
    (project / "test_it.py").write_text(FIRST_ATTEMPT_FAILS.replace("NUMBER", "1").replace("@pytest.mark.broker\n", ""))
    ended = run(project)
    assert ended.returncode == 1
    assert "unsteady" not in ended.stdout


def test_another_failure_is_not_hidden_by_an_unsteady_test_that_passed(project: Path) -> None:
    (project / "test_it.py").write_text(FIRST_ATTEMPT_FAILS.replace("NUMBER", "1"))
    (project / "test_other.py").write_text("def test_plain():\n    assert False\n")
    ended = run(project)
    assert ended.returncode == 1
    assert "1 failed" in ended.stdout.splitlines()[-1]
    assert "1 unsteady" in ended.stdout.splitlines()[-1]


def test_a_module_that_cannot_be_collected_is_an_error(project: Path) -> None:
    (project / "test_it.py").write_text("this is no Python\n")
    ended = run(project)
    assert ended.returncode == pytest.ExitCode.INTERRUPTED
    assert "1 error" in ended.stdout.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("dying", [DIES, DIES.replace("def test_after():\n    pass\n", "")], ids=["middle", "last"])
def test_a_process_that_dies_is_replaced_and_only_the_test_in_which_it_died_runs_again(
    project: Path, dying: str
) -> None:
    (project / "test_it.py").write_text(dying)
    for number in range(4):
        (project / f"test_{number}.py").write_text("def test_one():\n    pass\n\ndef test_two():\n    pass\n")
    ended = run(project, "-n", "2", "--max-worker-restart", "2")
    assert ended.returncode == 0, ended.stdout
    last = ended.stdout.splitlines()[-1]
    assert f"{10 if 'test_after' in dying else 9} passed" in last
    assert "1 unsteady" in last
    assert ended.stdout.count("crashed while running") >= 1
