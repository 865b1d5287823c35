"""`pipelines build`: schemas/minimized/ is made what the views give, and nothing else is touched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipelines.cli.build import command
from pipelines.contract import derived_schemas, load, load_valid
from pipelines.sdk.decoding import Decoder
from pipelines.trouble import Exit, Trouble
from tests.support.avro import encoded
from tests.support.contract_folders import BASE, FIXTURES, TODAY, edited, overlaid
from tests.support.signing import sign

TOPIC_FOLDER = "schemas/minimized/network-metadata.support"
EVENT = {
    "occurred_at": datetime(2026, 5, 1, tzinfo=UTC),
    "device_id": bytes(16),
    "region": "other",
    "ok": True,
    "bytes_up": None,
    "dns_names": 2,
    "checks": [{"id": "boot"}],
    "labels_tier": None,
}
DERIVED = f"{TOPIC_FOLDER}/vpn.session.v1.avsc"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if isinstance(result.exception, Trouble):
        raise result.exception
    return int(result.return_value or 0), result.output


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_fresh_is_left_as_it_is(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    before = files(folder)
    assert run("--contract", str(folder)) == (0, "0 changed, 1 as they were\n")
    assert files(folder) == before


def test_a_stale_schema_is_written_and_the_contract_is_valid_then(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/vpn/session.yaml": ("ok: keep", "ok: {do: keep, as: good}")})
    assert {found.check for found in load(folder, as_of=TODAY).findings} == {"derived-stale", "review-signed"}
    code, output = run("--contract", str(folder))
    assert (code, output.splitlines()[0]) == (0, f"wrote {DERIVED}")
    contract = load_valid(sign(folder, as_of=TODAY), as_of=TODAY)
    assert (folder / DERIVED).read_text() == derived_schemas(contract)[DERIVED]


def test_schemas_without_a_view_are_removed_with_their_folder_and_nothing_else(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    orphan = folder / "schemas/minimized/audit.support/vpn.session.v1.avsc"
    orphan.parent.mkdir()
    orphan.write_text("{}")
    (folder / "schemas/minimized/README.md").write_text("Made by `pipelines build`.\n")
    code, output = run("--contract", str(folder))
    assert (code, output.splitlines()[0]) == (0, "removed schemas/minimized/audit.support/vpn.session.v1.avsc")
    assert not orphan.parent.exists()
    assert (folder / "schemas/minimized/README.md").exists()


def test_a_new_raw_version_moves_the_schema_to_its_number(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    text = (folder / "schemas/raw/vpn/session.v1.avsc").read_text()
    (folder / "schemas/raw/vpn/session.v3.avsc").write_text(text.replace('"name": "ok"', '"name": "good"'))
    policy = folder / "policies/vpn/session.yaml"
    policy.write_text(policy.read_text().replace("    ok: keep\n", "    ok: keep\n    good: keep\n"))
    code, output = run("--contract", str(folder))
    assert code == 0
    told = [line for line in output.splitlines() if DERIVED.partition(".v1")[0] in line]
    assert told[:2] == [f"wrote {DERIVED.replace('v1', 'v3')}", f"removed {DERIVED}"]


def test_check_writes_nothing_and_fails_when_there_is_something_to_do(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/vpn/session.yaml": ("ok: keep", "ok: {do: keep, as: good}")})
    before = files(folder)
    code, output = run("--contract", str(folder), "--check")
    assert code == Exit.FINDINGS
    assert f"would write {DERIVED}" in output
    assert files(folder) == before
    assert run("--contract", str(BASE), "--check")[0] == Exit.DONE


def test_a_contract_with_errors_is_not_built(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/vpn/session.yaml": ("  account_id: no purpose needs it\n", "")})
    before = files(folder)
    with pytest.raises(Trouble) as trouble:
        run("--contract", str(folder))
    assert trouble.value.exit_code is Exit.FINDINGS
    assert "leaf-undecided" in str(trouble.value)
    assert files(folder) == before


def test_a_program_reads_json(tmp_path: Path) -> None:
    code, output = run("--contract", str(overlaid(tmp_path)), "--json")
    assert code == 0
    nothing: dict[str, object] = {"written": [], "removed": [], "superseded": [], "expired": []}
    nothing |= {"unsigned": [], "unsigned_topics": [], "doubted": []}
    assert orjson.loads(output) == {"check": False, "unchanged": 1, **nothing}


def test_a_schema_that_is_replaced_is_kept_and_its_records_are_still_decoded(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    before = orjson.loads((folder / DERIVED).read_bytes())
    record = encoded(before, EVENT)
    policy = folder / "policies/vpn/session.yaml"
    policy.write_text(policy.read_text().replace("ok: keep", "ok: {do: keep, as: good}"))
    _, output = run("--contract", str(folder))
    kept = folder / TOPIC_FOLDER / f"superseded/vpn.session.{record[2:10].hex()}.avsc"
    assert f"kept {kept.relative_to(folder)} until " in output
    decoder = Decoder.of(folder, "network-metadata.support")
    assert decoder is not None
    assert decoder.decode(record) == EVENT
    sign(folder, as_of=TODAY)
    assert load(folder, as_of=TODAY).findings == ()
    assert run("--contract", str(folder), "--check")[0] == Exit.DONE


def test_check_names_what_would_be_kept_and_keeps_nothing(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/vpn/session.yaml": ("ok: keep", "ok: {do: keep, as: good}")})
    before = files(folder)
    code, output = run("--contract", str(folder), "--check", "--json")
    said = orjson.loads(output)
    assert code == Exit.FINDINGS
    assert [one["file"].partition("/superseded/")[0] for one in said["superseded"]] == [TOPIC_FOLDER]
    assert said["written"] == [DERIVED, "schemas/minimized/superseded.json"]
    assert files(folder) == before


def test_a_listed_schema_that_is_lost_stops_the_build(tmp_path: Path) -> None:
    folder = overlaid(tmp_path, FIXTURES / "invalid/derived-lost")
    before = files(folder)
    with pytest.raises(Trouble, match="derived-lost"):
        run("--contract", str(folder))
    assert files(folder) == before
