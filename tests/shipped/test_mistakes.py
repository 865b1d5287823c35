"""docs/mistakes.md: every mistake on it is found, at its line, and nothing in what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import load
from tests.shipped.mistakes import Entry, entries
from tests.support.contract_folders import freshened
from tests.support.shipped import AS_OF

pytestmark = pytest.mark.slow

WRONG = entries("Forty mistakes")
RIGHT = entries("Twenty that are right")


def found_in(entry: Entry, folder: Path) -> list[str]:
    loaded = load(folder if entry.bare else freshened(folder, as_of=AS_OF), as_of=AS_OF)
    return sorted(f"{one.check} {one.position.file}:{one.position.line}" for one in loaded.findings)


@pytest.mark.parametrize("entry", WRONG, ids=lambda entry: entry.title)
def test_a_mistake_in_the_shipped_contract_is_found_by_its_check_at_its_line(entry: Entry, tmp_path: Path) -> None:
    folder = entry.made(tmp_path / "contract")
    assert found_in(entry, folder) == entry.expected(folder) != []


@pytest.mark.parametrize("entry", RIGHT, ids=lambda entry: entry.title)
def test_what_is_right_in_the_shipped_contract_gives_no_finding(entry: Entry, tmp_path: Path) -> None:
    folder = entry.made(tmp_path / "contract")
    assert entry.expected(folder) == []
    assert found_in(entry, folder) == []


def test_the_page_has_as_many_as_it_says_and_each_is_another_one() -> None:
    assert (len(WRONG), len(RIGHT)) == (40, 20)
    assert len({entry.title for entry in WRONG + RIGHT}) == len({entry.hunks for entry in WRONG + RIGHT}) == 60
    assert all(entry.hunks for entry in WRONG + RIGHT)


def test_the_mistakes_are_of_many_kinds() -> None:
    checks = {check for entry in WRONG for hunk in entry.hunks for _, check in hunk.found}
    assert len(checks) >= 30
