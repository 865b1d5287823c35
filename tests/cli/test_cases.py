"""`pipelines test`: the shipped cases pass and cover everything; what is printed, and that no raw value ever is."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.trouble import Exit, Trouble
from tests.support.case_files import CANARY, FILE, TOPIC, with_cases

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WRONG = [
    ("bytes_up: 1024", "bytes_up: 0"),
    ("quarantined not_single_object", "quarantined no_value"),
    ("hex: c3", "hex: c4"),
]
BROKEN = ("      ok: true\n", f"      ok: {CANARY}\n")


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(pipelines, ["test", *arguments, "--contract", str(folder)])


@pytest.mark.parametrize("overlay", [[], ["--overlay", "example-strict"]], ids=["as it is", "under its overlay"])
def test_the_shipped_contract_passes_its_cases_and_each_action_of_each_view_is_exercised(overlay: list[str]) -> None:
    result = run(ROOT, "--json", "--require-coverage", *overlay)
    assert result.exit_code == 0, result.output
    told = orjson.loads(result.output)
    assert len({case["event"] for case in told["cases"]}) == 9
    assert told["coverage"]["exercised"] == told["coverage"]["actions"] > 200
    assert told["without_cases"] == []
    policies = {path.name.removesuffix(".yaml") for path in (ROOT / "policies").glob("*/*.yaml")}
    assert {f"{name}.cases" for name in policies if not name.endswith(".cases")} <= policies


def test_a_case_that_fails_is_told_by_view_field_and_minimized_values(tmp_path: Path) -> None:
    result = run(with_cases(tmp_path, WRONG[0]))
    assert result.exit_code == Exit.FINDINGS
    assert "a session" in result.output
    assert f"{TOPIC}: bytes_up: expected 0, came out 1024" in result.output
    assert f"{FILE}:22:9" in result.output


@pytest.mark.parametrize("edits", [WRONG, [BROKEN]], ids=["cases that fail", "a file that is wrong"])
def test_no_raw_value_is_printed_or_written(tmp_path: Path, edits: list[tuple[str, str]]) -> None:
    folder, xml = with_cases(tmp_path / "c", *edits), tmp_path / "cases.xml"
    results = [run(folder), run(folder, "--json"), run(folder, "--junit", str(xml))]
    assert [result.exit_code for result in results] == [Exit.FINDINGS] * 3
    told = "".join(result.output + result.stderr + str(result.exception) for result in results) + xml.read_text()
    assert "vpn.session" in told
    assert CANARY not in told


def test_the_xml_counts_what_failed_and_what_could_not_be_read(tmp_path: Path) -> None:
    run(with_cases(tmp_path / "a", *WRONG), "--junit", str(tmp_path / "a.xml"))
    (suite,) = ET.parse(tmp_path / "a.xml").getroot()  # noqa: S314 - our own
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("vpn.session", "7", "2")
    case = suite[0]
    assert (case.get("name"), case.get("file"), case.get("line")) == ("a session", FILE, "3")
    assert "bytes_up: expected 0, came out 1024" in str(case[0].text)
    run(with_cases(tmp_path / "b", BROKEN), "--junit", str(tmp_path / "b.xml"))
    (suite,) = ET.parse(tmp_path / "b.xml").getroot()  # noqa: S314 - our own
    assert suite.get("errors") == "1"
    assert "[case-value]" in str(suite[0][0].text)


def test_coverage_that_lacks_ends_with_1_only_when_it_is_required(tmp_path: Path) -> None:
    edits = [("raw: {bytes_up: -1}", "raw: {bytes_up: 1}"), ("quarantined out_of_range at bytes_up", "{bytes_up: 0}")]
    folder = with_cases(tmp_path, *edits)
    result = run(folder)
    assert result.exit_code == 0
    assert "7 of 8 actions are exercised; no case in which" in result.output
    assert "bytes_up (bucket [0, 1024, 1048576]) turns something away" in result.output
    assert run(folder, "--require-coverage").exit_code == Exit.FINDINGS


def test_an_event_type_without_cases_is_told(tmp_path: Path) -> None:
    folder = with_cases(tmp_path)
    (folder / FILE).unlink()
    result = run(folder)
    assert result.exit_code == 0
    assert "vpn.session  no case" in result.output
    assert run(folder, "--require-coverage").exit_code == Exit.FINDINGS


def test_one_event_type_can_be_tested_and_an_unknown_one_is_trouble() -> None:
    told = orjson.loads(run(ROOT, "tor.circuit", "--json").output)
    assert {case["event"] for case in told["cases"]} == {"tor.circuit"}
    assert told["coverage"]["actions"] == 5
    refused = run(ROOT, "tor.circus").exception
    assert isinstance(refused, Trouble)
    assert "tor.circuit" in refused.hint


def test_a_policy_is_tested_before_it_is_built_and_signed(tmp_path: Path) -> None:
    folder = with_cases(tmp_path, ("        ok: true\n", ""), ("region: other, ok: false,", "region: other,"))
    policy = folder / "policies/vpn/session.yaml"
    policy.write_text(
        policy.read_text().replace("    ok: keep\n", "").replace("never:\n", "never:\n  ok: not needed\n")
    )
    assert CliRunner().invoke(pipelines, ["validate", "--contract", str(folder)]).exit_code == Exit.FINDINGS
    result = run(folder)
    assert result.exit_code == 0, result.output


def test_a_file_that_cannot_be_written_is_trouble(tmp_path: Path) -> None:
    refused = run(with_cases(tmp_path), "--junit", str(tmp_path / "no/such/folder.xml")).exception
    assert isinstance(refused, Trouble)
    assert refused.exit_code is Exit.USAGE


def test_a_wrong_policy_is_caught_by_the_shipped_cases(tmp_path: Path) -> None:
    for name in ("schemas", "policies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "topics.yaml", tmp_path)
    policy = tmp_path / "policies/vpn/session.yaml"
    policy.write_text(policy.read_text().replace("occurred_at: {truncate: {to: 15m", "occurred_at: {truncate: {to: 1h"))
    result = run(tmp_path, "vpn.session")
    assert result.exit_code == Exit.FINDINGS
    assert "occurred_at: expected 2026-11-23T10:30:00Z, came out 2026-11-23T10:00:00Z" in result.output
