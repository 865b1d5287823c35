"""`make audit` runs what docs/auditor.md names, and says of each promise whether it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner, Result

from tests.audit import __main__ as audit
from tests.audit.promises import PAGE, ROOT, promises_of

ROWS = """
| promise | shown by |
|-|-|
| a true one | `python -m this`, twice |
| a false one | `python -m this` and `python -m tests.no_such_module` |
| one of a cluster | `pipelines topics verify --json` there |
"""


def run(tmp_path: Path, *arguments: str) -> Result:
    page = tmp_path / "page.md"
    page.write_text(ROWS)
    options = ["--page", str(page), "--logs", str(tmp_path / "logs")]
    return CliRunner().invoke(audit.main, [*options, *arguments])


def test_each_promise_gets_a_verdict_and_a_command_runs_once(tmp_path: Path) -> None:
    done = run(tmp_path, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [each["verdict"] for each in told["promises"]] == ["holds", "broken", "not run here"]
    assert told["promises"][2]["on_your_cluster"] == ["pipelines topics verify --json"]
    assert {command: each["exit_code"] for command, each in told["commands"].items()} == {
        "python -m this": 0,
        "python -m tests.no_such_module": 1,
    }
    assert all(each["seconds"] > 0 for each in told["commands"].values())


def test_people_get_a_table_and_the_last_lines_of_what_failed(tmp_path: Path) -> None:
    text = run(tmp_path).stdout
    assert "a false one" in text
    assert "No module named tests.no_such_module" in text
    assert "On the cluster itself: pipelines topics verify --json" in text


def test_promises_that_hold_end_with_0_and_no_promise_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path, "--only", "TRUE").exit_code == 0
    assert run(tmp_path, "--only", "no such text").exit_code == 2


def test_each_promise_of_the_page_has_a_command() -> None:
    promises = promises_of(PAGE.read_text())
    assert len(promises) > 10
    for promise in promises:
        assert promise.commands or promise.elsewhere, promise.text


def test_each_command_of_the_page_names_tests_or_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for promise in promises_of(PAGE.read_text()):
        for command in promise.commands:
            kind, what, *_ = command.split()
            assert what in targets if kind == "make" else (ROOT / "tests" / "tombs" / "__main__.py").exists(), command
            for folder in re.findall(r"tests/[\w/.]+", command):
                assert (ROOT / folder).exists(), command
