"""Every check has a contract that breaks it, and says exactly where."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import CHECKS, load, load_valid
from pipelines.contract.findings import Severity
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import BASE, FIXTURES, TODAY, edited, found_in, freshened, overlaid

INVALID = sorted((FIXTURES / "invalid").iterdir())
KNOWN = {check.id: check for check in CHECKS}


def check_of(fixture: Path) -> str:
    """A fixture is called as its check, or as its check, a plus and what is special about it."""
    return fixture.name.partition("+")[0]


def test_the_base_contract_is_valid_and_gives_no_finding() -> None:
    loaded = load(BASE, as_of=TODAY)
    assert loaded.findings == ()
    assert loaded.valid
    assert loaded.contract is not None


def test_every_check_has_an_invalid_fixture_and_every_fixture_a_check() -> None:
    assert {check_of(fixture) for fixture in INVALID} == KNOWN.keys()


def test_no_two_checks_have_one_id_and_each_says_what_it_holds() -> None:
    assert len(KNOWN) == len(CHECKS)
    assert all(check.says.endswith(".") for check in CHECKS)


@pytest.mark.parametrize("fixture", INVALID, ids=lambda fixture: fixture.name)
def test_a_broken_contract_gives_exactly_its_findings_at_their_places(fixture: Path, tmp_path: Path) -> None:
    loaded = found_in(fixture, tmp_path / "contract")
    said = [f"{found.check} {found.position}" for found in loaded.findings]
    assert said == (fixture / "expected").read_text().splitlines()
    assert check_of(fixture) in {found.check for found in loaded.findings}
    for found in loaded.findings:
        assert found.severity is KNOWN[found.check].severity
        assert found.message
        assert found.remedy


def test_a_contract_with_warnings_is_let_through(tmp_path: Path) -> None:
    folder = overlaid(tmp_path, FIXTURES / "invalid/review-expired")
    assert KNOWN["review-expired"].severity is Severity.WARNING
    load_valid(freshened(folder), as_of=TODAY)


@pytest.mark.parametrize("check", ["yaml-depth", "leaf-undecided", "class-protected", "derived-stale"])
def test_a_contract_with_an_error_is_not_let_through_and_the_error_is_named(check: str, tmp_path: Path) -> None:
    with pytest.raises(Trouble) as trouble:
        load_valid(overlaid(tmp_path, FIXTURES / "invalid" / check), as_of=TODAY)
    assert trouble.value.exit_code is Exit.FINDINGS
    assert check in str(trouble.value)


def test_one_broken_file_does_not_hide_the_mistakes_of_another(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "topics.yaml").write_text("raw: [\n")
    (folder / "policies/lists.yaml").write_text("regions: &a [b]\n")
    policy = folder / "policies/vpn/session.yaml"
    policy.write_text(policy.read_text().replace("ok: keep", "ok: hash").replace("  account_id:", "  acount_id:"))
    purposes = folder / "policies/purposes.yaml"
    purposes.write_text(
        purposes.read_text().replace("rotate: 1d", "rotate: soon").replace("max_bits: 96", "max_bits: -1")
    )
    found = {(one.check, one.position.file) for one in load(folder, as_of=TODAY).findings}
    assert found == {
        ("yaml-syntax", "topics.yaml"),
        ("yaml-anchor", "policies/lists.yaml"),
        ("rule-action", "policies/vpn/session.yaml"),
        ("never-unknown", "policies/vpn/session.yaml"),
        ("leaf-undecided", "policies/vpn/session.yaml"),
        ("bad-value", "policies/purposes.yaml"),
    }


def test_a_folder_without_a_contract_says_what_is_missing(tmp_path: Path) -> None:
    found = {(one.check, str(one.position)) for one in load(tmp_path, as_of=TODAY).findings}
    assert found == {
        ("file-missing", "topics.yaml:1:1"),
        ("file-missing", "policies/purposes.yaml:1:1"),
        ("file-missing", "schemas/raw:1:1"),
    }


def test_findings_stand_in_the_order_of_their_places(tmp_path: Path) -> None:
    for fixture in INVALID:
        if fixture.name.startswith("path-unknown"):
            found = load(overlaid(tmp_path / fixture.name, fixture), as_of=TODAY).findings
            assert [one.position for one in found] == sorted(one.position for one in found)


@pytest.mark.parametrize(
    ("line", "does", "way_out"),
    [
        ("dns_names: count", "dns_names: keep", "content: only `count` of arrays and maps, `present`, or `never`."),
        ("device_id: handle", "device_id: keep", "device_identifier: only `handle` where the purpose names it, or"),
        ("occurred_at: {truncate: 1h}", "occurred_at: keep", "event_time: only `truncate`, `present`, `count`, or"),
        ("region: {one_of: {list: regions}, else: other}", "region: keep", "Use another action"),
    ],
)
def test_where_an_action_does_not_fit_the_type_the_way_out_is_what_the_class_allows(
    line: str, does: str, way_out: str, tmp_path: Path
) -> None:
    folder = edited(tmp_path, {"policies/vpn/session.yaml": (line, does)})
    (found,) = [one for one in load(folder, as_of=TODAY).findings if one.check == "action-type"]
    assert way_out in found.remedy


def test_attributes_of_other_tools_are_named_as_harmless_and_change_nothing(tmp_path: Path) -> None:
    plain = load(BASE, as_of=TODAY).contract
    loaded = load(overlaid(tmp_path, FIXTURES / "invalid/schema-foreign"), as_of=TODAY)
    (found,) = loaded.findings
    assert "avro.java.string, confluent:tags, connect.parameters, connect.version" in found.message
    assert "harmless" in found.message
    assert loaded.valid
    assert loaded.contract is not None
    assert plain is not None
    assert loaded.contract.digest == plain.digest


def test_an_attribute_that_only_resembles_one_of_another_tool_is_an_error(tmp_path: Path) -> None:
    edits = {"schemas/raw/vpn/session.v1.avsc": ('"name": "ok"', '"connected": 1, "name": "ok"')}
    assert "unknown-key" in {found.check for found in load(edited(tmp_path, edits), as_of=TODAY).findings}
