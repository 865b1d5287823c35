"""`pipelines validate`: what a person and a program are told, and the exit code."""

from __future__ import annotations

import shutil
from datetime import date
from math import log2
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipelines.cli.validate import command
from pipelines.contract import load
from tests.support.contract_folders import BASE, TODAY, edited
from tests.support.signing import sign

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


def test_bits_are_shown_by_view_and_field_on_request_only() -> None:
    code, output = run("--contract", str(BASE), *DAY, "--bits")
    assert code == 0
    assert "support  at most 96 bits a record" in output
    assert "✓   48.9  vpn.session → network-metadata.support  occurred_at 26.4, checks 13.3 (0" in output
    assert "checks 13.3 (0 to 8 items of 1.6)" in output
    assert "; beside it arrival 28.0" in output, "the topic keeps 72 h, and commit markers say the millisecond"
    assert "bits a record" not in run("--contract", str(BASE), *DAY)[1]


def test_a_view_over_its_budget_is_an_error_that_names_the_dearest_fields(tmp_path: Path) -> None:
    folder = sign(edited(tmp_path, {"policies/purposes.yaml": ("max_bits: 96", "max_bits: 48")}), as_of=TODAY)
    code, output = run("--contract", str(folder), *DAY, "--bits")
    assert code == 1
    assert "can say 48.9 bits, and 'support' allows 48 (policies/purposes.yaml:1:1)" in output
    assert "Most by occurred_at (26.4), checks (13.3 in up to 8 items), dns_names (3.0)" in output


def test_a_program_gets_the_bits_with_the_whole_count() -> None:
    document = orjson.loads(run("--contract", str(BASE), *DAY, "--bits", "--json")[1])
    (view,) = document["bits"]
    assert (view["within"], view["max_bits"]) == (True, 96)
    assert view["bits"] == pytest.approx(log2(int(view["count"])))
    assert next(field for field in view["fields"] if field["name"] == "checks")["max_items"] == 8
    assert "bits" not in orjson.loads(run("--contract", str(BASE), *DAY, "--json")[1])


@pytest.fixture
def overlaid(tmp_path: Path) -> Path:
    """A contract with two overlays: one is tighter, the other wants a longer TTL and a topic that is not there."""
    folder = edited(tmp_path, {})
    ttls = {"tight": "network-metadata.support: {ttl: 48h}", "loose": "network-metadata.support: {ttl: 999d}"}
    (folder / "overlays").mkdir()
    for name, said in ttls.items():
        (folder / f"overlays/{name}.yaml").write_text(f"description: For this test\ntopics:\n  {said}\n")
    with (folder / "overlays/loose.yaml").open("a") as file:
        file.write("  network-metadata.nothing: remove\n")
    return folder


def test_each_overlay_is_looked_at_with_the_contract_and_said_by_name(overlaid: Path) -> None:
    code, output = run("--contract", str(overlaid), *DAY)
    assert code == 1
    assert "The contract is valid as of 2026-06-01" in output
    assert "Under the overlay tight it is valid: 0 errors, 0 warnings." in output
    assert "Under the overlay loose it is not valid: 2 errors, 0 warnings." in output
    assert output.count("overlays/loose.yaml") == 3  # over the findings, and in the place of each


def test_a_program_reads_what_each_overlay_brings_about(overlaid: Path) -> None:
    code, output = run("--contract", str(overlaid), "--json", *DAY)
    said = orjson.loads(output)
    assert (code, said["valid"], said["findings"]) == (1, True, [])
    assert {name: one["valid"] for name, one in said["overlays"].items()} == {"loose": False, "tight": True}
    assert [one["check"] for one in said["overlays"]["loose"]["findings"]] == ["overlay-loosens", "overlay-unknown"]
    assert said["overlay"] is None


def test_the_verdict_under_one_overlay_names_the_overlay(overlaid: Path) -> None:
    code, output = run("--contract", str(overlaid), "--overlay", "tight", *DAY)
    assert (code, "The contract under the overlay tight is valid as of 2026-06-01" in output) == (0, True)
    _, output = run("--contract", str(overlaid), "--overlay", "loose", "--json", *DAY)
    assert orjson.loads(output)["overlay"] == "loose"


def test_what_is_wrong_without_an_overlay_is_said_once_and_makes_none_valid(overlaid: Path) -> None:
    (overlaid / "overlays/loose.yaml").unlink()
    next((overlaid / "schemas/minimized").rglob("*.avsc")).write_text("{}")
    code, output = run("--contract", str(overlaid), *DAY)
    assert code == 1
    assert output.count("[derived-stale]") == 1
    assert "Under the overlay tight it is not valid: 1 error, 0 warnings." in output
    _, output = run("--contract", str(overlaid), "--json", *DAY)
    tight = orjson.loads(output)["overlays"]["tight"]
    assert (tight["valid"], tight["errors"], tight["findings"]) == (False, 1, [])


def test_overlays_of_what_cannot_be_built_are_said_not_to_be_looked_at(overlaid: Path) -> None:
    for name in ("topics.yaml", "policies/purposes.yaml", "policies/vpn/session.yaml"):
        (overlaid / name).unlink()
    shutil.rmtree(overlaid / "schemas")
    assert "Overlays were not looked at" in run("--contract", str(overlaid), *DAY)[1]
    assert orjson.loads(run("--contract", str(overlaid), "--json", *DAY)[1])["overlays"] is None


def test_a_view_that_could_not_be_read_is_named_and_overlays_are_looked_at_without_it(overlaid: Path) -> None:
    path = overlaid / "policies/vpn/session.yaml"
    path.write_text(path.read_text().replace("ok: keep", "ok: hash"))
    code, output = run("--contract", str(overlaid), *DAY)
    assert (code, "  view vpn.session → network-metadata.support\n" in output) == (1, True)
    assert "[overlay-loosens]" in output
    told = orjson.loads(run("--contract", str(overlaid), "--json", *DAY)[1])
    assert told["left_out"] == ["view vpn.session → network-metadata.support"]
