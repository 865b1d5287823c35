"""`pipelines validate`: what a person and a program are told, and the exit code."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipelines.cli.validate import command
from pipelines.contract import load
from tests.contract.folders import BASE, edited

DAY = ["--as-of", "2026-06-01"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    assert result.exception is None or result.exc_info is None, result.exception
    return int(result.return_value or 0) if result.exit_code == 0 else result.exit_code, result.output


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return edited(
        tmp_path, {"policies/vpn/session.yaml": ("ok: keep", "ok: hash"), "topics.yaml": ("late:", "latest:")}
    )


def test_a_valid_contract_is_said_to_be_valid_and_what_it_holds() -> None:
    code, output = run("--contract", str(BASE), *DAY)
    assert code == 0
    assert "valid as of 2026-06-01" in output
    assert "1 event type, 1 view, 1 purpose" in output


def test_every_finding_is_shown_with_place_check_and_mend(broken: Path) -> None:
    code, output = run("--contract", str(broken), *DAY)
    assert code == 1
    assert "policies/vpn/session.yaml:7:9  error  [rule-action]" in output
    assert "topics.yaml:6:5  error  [unknown-key]" in output
    assert output.count("-> ") == 2
    assert "not valid as of 2026-06-01: 2 errors, 0 warnings" in output


def test_no_message_is_cut_or_wrapped_when_it_is_piped(broken: Path) -> None:
    _, output = run("--contract", str(broken), *DAY)
    for found in load(broken, as_of=date(2026, 6, 1)).findings:
        assert f"      {found.message}\n      -> {found.remedy}\n" in output


def test_a_program_reads_json(broken: Path) -> None:
    code, output = run("--contract", str(broken), "--json", *DAY)
    said = orjson.loads(output)
    assert code == 1
    assert (said["valid"], said["errors"], said["warnings"], said["policy_version"]) == (False, 2, 0, None)
    assert said["as_of"] == "2026-06-01"
    first = said["findings"][0]
    assert (first["check"], first["severity"]) == ("rule-action", "error")
    assert (first["file"], first["line"], first["column"]) == ("policies/vpn/session.yaml", 7, 9)
    assert first["message"]
    assert first["remedy"]


def test_as_of_shows_what_will_have_expired_and_a_warning_is_no_failure() -> None:
    code, output = run("--contract", str(BASE), "--as-of", "2027-01-01", "--json")
    said = orjson.loads(output)
    assert code == 0
    assert said["valid"]
    assert [found["check"] for found in said["findings"]] == ["review-expired", "basis-expired"]


def test_help_says_what_it_holds_and_how_it_exits() -> None:
    _, output = run("--help")
    for word in ("--as-of", "--json", "Exit codes", "pipelines validate --as-of"):
        assert word in output
