"""`pipelines docs`: pages are written, checked and taken away, and nobody else's file is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli.docs import command
from pipelines.trouble import Exit, Trouble
from tests.support.overlays import lab

TOPIC = "topics/network-metadata.support"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=True)
    if isinstance(result.exception, Trouble):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lab(tmp_path / "contract")


def test_what_was_written_is_as_it_should_be_until_the_contract_changes(folder: Path) -> None:
    assert run("--contract", str(folder), "--check")[0] == Exit.FINDINGS
    assert run("--contract", str(folder))[0] == Exit.DONE
    assert run("--contract", str(folder), "--check") == (Exit.DONE, "0 to update, 4 up to date\n")
    topics = folder / "topics.yaml"
    topics.write_text(topics.read_text().replace("ttl: 72h", "ttl: 71h"))
    (folder / "docs/catalog/index.md").unlink()
    code, said = run("--contract", str(folder), "--check")
    assert code == Exit.FINDINGS
    assert f"missing {folder}/docs/catalog/index.md" in said
    assert f"stale {folder}/docs/catalog/{TOPIC}.md" in said
    assert "Run `pipelines docs` and commit what it writes." in said


def test_a_page_that_nothing_gives_any_more_is_removed_and_a_strangers_file_is_not(folder: Path) -> None:
    assert run("--contract", str(folder))[0] == Exit.DONE
    there = folder / "docs/catalog/topics"
    (there / "gone.md").write_text((folder / f"docs/catalog/{TOPIC}.md").read_text())
    (there / "mine.md").write_text("# Mine\n")
    code, said = run("--contract", str(folder))
    assert code == Exit.DONE
    assert f"removed {there}/gone.md" in said
    assert (there / "mine.md").read_text() == "# Mine\n"


def test_a_strangers_file_where_a_page_belongs_is_refused(folder: Path) -> None:
    (folder / "docs/catalog").mkdir(parents=True)
    (folder / "docs/catalog/index.md").write_text("# Mine\n")
    code, said = run("--contract", str(folder))
    assert code == Exit.REFUSED
    assert "index.md" in said
    assert (folder / "docs/catalog/index.md").read_text() == "# Mine\n"


def test_html_goes_to_a_folder_of_its_own(folder: Path) -> None:
    assert run("--contract", str(folder), "--format", "html")[0] == Exit.DONE
    assert (folder / f"build/catalog/{TOPIC}.html").read_text().startswith("<!DOCTYPE html>")
    assert not (folder / "docs").exists()


def test_pages_under_an_overlay_say_so_and_lie_beside_the_others(folder: Path) -> None:
    (folder / "overlays").mkdir()
    lines = {"flag": "remove", "tier": "remove", "ratio": {"bucket": [-10, 60]}}
    said = {"description": "Less", "views": {"lab.sample": {"network-metadata.support": lines}}}
    (folder / "overlays/less.yaml").write_text(json.dumps(said))
    code, output = run("--contract", str(folder), "--overlay", "less")
    assert (code, "4 changed" in output) == (Exit.DONE, True)
    page = (folder / f"docs/catalog-less/{TOPIC}.md").read_text()
    assert "by the overlay `less`" in page
    assert "overlays/less/schemas/network-metadata.support/lab.sample.v2.avsc" in page
    assert "--overlay less" in page
    assert 'Decoder.of(Path("."), TOPIC, "less")' in page
    assert "`flag`" not in page
    assert "There is no example" not in page
    event = (folder / "docs/catalog-less/events/lab.sample.md").read_text()
    assert "| `tier` | `not_listed` | not in the list tiers |" in event, "what is dropped still holds back"
    assert run("--contract", str(folder), "--overlay", "less", "--check")[0] == Exit.DONE
