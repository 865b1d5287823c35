"""A contract whose files end their lines as on Windows is the same contract."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from pipelines.cli.docs import command as docs
from pipelines.contract import build, load
from tests.support.contract_folders import BASE, TODAY, edited, overlaid


def windows(folder: Path) -> Path:
    """The folder, each text file as git with core.autocrlf=true checks it out."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return folder


def test_a_contract_with_other_line_ends_is_valid_and_the_same(tmp_path: Path) -> None:
    loaded = load(windows(overlaid(tmp_path)), as_of=TODAY)
    assert loaded == load(BASE, as_of=TODAY)
    assert loaded.valid


def test_build_leaves_derived_schemas_alone_that_differ_in_line_ends_only(tmp_path: Path) -> None:
    folder = windows(overlaid(tmp_path))
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    built = build(folder, contract, as_of=TODAY)
    assert (built.changes, len(built.unchanged)) == (0, 1)


def test_a_derived_schema_that_differs_in_more_is_stale_and_written(tmp_path: Path) -> None:
    path = "schemas/minimized/network-metadata.support/vpn.session.v1.avsc"
    folder = windows(edited(tmp_path, {path: ('"ok"', '"good"')}))
    loaded = load(folder, as_of=TODAY)
    assert [found.check for found in loaded.findings] == ["derived-stale"]
    assert loaded.contract is not None
    assert path in build(folder, loaded.contract, as_of=TODAY).written
    assert load(folder, as_of=TODAY).valid


def test_catalog_pages_that_differ_in_line_ends_only_are_as_they_should_be(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    assert CliRunner().invoke(docs, ["--contract", str(folder)]).exit_code == 0
    checked = CliRunner().invoke(docs, ["--contract", str(windows(folder)), "--check"])
    assert (checked.exit_code, "0 to update" in checked.output) == (0, True)
