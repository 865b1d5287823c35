"""The privacy reviewers' pages: their own commands, on the shipped contract, from a request to a signed review."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli.app import pipelines
from tests.support.processes import completed
from tests.support.repository import committed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/privacy-reviewer.md").read_text(encoding="utf-8")
BUDGET = (ROOT / "docs/information-budget.md").read_text(encoding="utf-8")
BEFORE, _, WALK = PAGE.partition("## From a request to a signed review")
AUTHORS = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
AGREED = 4  # the block after which the line was put into the file by hand


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str


def _blocks(text: str) -> list[list[str]]:
    return [block.strip().splitlines() for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


BLOCKS = _blocks(WALK)
SHOWN = [line for text in (BEFORE, BUDGET) for block in _blocks(text) for line in block]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], Ended]:
    """Each line's outcome, by block and line."""
    folder = _as_shipped(tmp_path_factory.mktemp("walk"))
    outcomes: dict[tuple[int, int], Ended] = {}
    for block, lines in enumerate(BLOCKS):
        if block == AGREED:
            _write_the_line(folder, outcomes[2, 0].out)
        for number, line in enumerate(lines):
            outcomes[block, number] = _typed(line, folder)
    return outcomes


def _as_shipped(folder: Path) -> Path:
    for name in ("schemas", "policies", "overlays", "docs/examples"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "topics.yaml", folder)
    committed(folder, "as shipped")
    return folder


def _typed(line: str, folder: Path) -> Ended:
    who = {f"GIT_{one}": "synthetic@example.test" for one in AUTHORS}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **who, "PATH": path, "COLUMNS": "120"}
    done = completed(["bash", "-c", line], cwd=folder, env=environment)
    return Ended(done.returncode, (done.stdout + done.stderr).decode())


def _write_the_line(folder: Path, shown: str) -> None:
    line = next(line for line in shown.splitlines() if line.startswith("covers: "))
    purposes = folder / "policies/purposes.yaml"
    before, found, after = purposes.read_text().partition("review: {id: PR-0015")
    review, _, rest = after.partition("covers: ")
    purposes.write_text(f"{before}{found}{review}{line}{rest[64:]}")


def test_every_other_command_of_the_pages_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_as_shipped(tmp_path))
    assert len(SHOWN) > 10
    for line in SHOWN:
        name, *words = shlex.split(line, comments=True)
        result = CliRunner().invoke(pipelines, words)
        assert (name, result.exit_code) == ("pipelines", 0), f"{line}: {result.output}"
        assert result.output
    assert (tmp_path / "linkage.svg").read_text().startswith("<svg")


def test_the_page_has_the_steps_that_are_tried_here() -> None:
    assert [len(block) for block in BLOCKS] == [5, 1, 2, 3, 4]


def test_the_request_is_written_and_said_to_be_worse(walked: dict[tuple[int, int], Ended]) -> None:
    assert [walked[0, number].code for number in range(5)] == [0, 0, 0, 0, 0], walked
    told = walked[1, 0]
    assert told.code == 1
    shown = WALK.partition("    Privacy gets worse (1)")[2].partition("\n\n")[0]
    assert [line.strip() for line in f"Privacy gets worse (1){shown}".splitlines()] == [
        line.strip() for line in told.out.splitlines()
    ]


def test_the_reviewer_sees_the_field_in_words_and_what_changed(walked: dict[tuple[int, int], Ended]) -> None:
    review = walked[2, 0]
    assert review.code == 1
    assert "field added: bucket [0, 60000, 3600000] as duration_ms" in review.out
    assert "duration_ms" in review.out.partition("Since what was signed")[0]
    assert walked[2, 1].code == 0


def test_the_only_error_is_the_review_and_it_names_the_change(walked: dict[tuple[int, int], Ended]) -> None:
    valid = walked[3, 0]
    assert valid.code == 1
    assert valid.out.count("  error") == 1
    assert "[review-signed]" in valid.out
    assert "duration_ms: field added" in valid.out


def test_the_cases_ask_what_the_new_field_says(walked: dict[tuple[int, int], Ended]) -> None:
    tested = walked[3, 1]
    assert tested.code == 1
    assert "'duration_ms' is missing in the view 'network-metadata.support'" in tested.out


def test_the_catalog_is_part_of_the_request(walked: dict[tuple[int, int], Ended]) -> None:
    assert (walked[3, 2].code, "0 to update" in walked[3, 2].out) == (0, True), walked[3, 2]


def test_after_the_line_was_written_everything_is_signed_and_valid(walked: dict[tuple[int, int], Ended]) -> None:
    assert "Signed: the review covers exactly this." in walked[4, 0].out
    assert [walked[4, number].code for number in range(4)] == [0, 0, 0, 1], walked
    assert "### Privacy gets worse (1)" in walked[4, 3].out
