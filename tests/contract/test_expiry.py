"""A date in the index of superseded schemas removes no schema before the commits say that its records have expired."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from pipelines.contract import build, load_for_building
from pipelines.contract.building import Built
from pipelines.contract.changes.expiry import doubts_in
from pipelines.contract.superseded import ROLLOUT_DAYS, read_superseded
from tests.support.contract_folders import TODAY, overlaid
from tests.support.repository import committed

POLICY: Final = "policies/vpn/session.yaml"
INDEX: Final = "schemas/minimized/superseded.json"
LAST: Final = timedelta(days=3 + ROLLOUT_DAYS)
DAY: Final = timedelta(days=1)


def built(folder: Path, day: date) -> Built:
    contract = load_for_building(folder, as_of=TODAY)
    return build(folder, contract, as_of=day, doubts=doubts_in(folder, INDEX, contract, day))


def commit_on(folder: Path, day: date) -> None:
    """Commit everything, as of noon of a day."""
    committed(folder, "a change")
    at = f"{datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp():.0f} +0000"
    environment = {
        **os.environ,
        "GIT_COMMITTER_DATE": at,
        "GIT_COMMITTER_NAME": "s",
        "GIT_COMMITTER_EMAIL": "s@example.test",
    }
    command = ["git", "-C", folder, "commit", "--quiet", "--amend", "--no-edit", f"--date={at}"]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def redated(folder: Path, superseded: date, until: date) -> None:
    index = json.loads((folder / INDEX).read_text())
    for entry in index.values():
        entry |= {"superseded": f"{superseded}", "until": f"{until}"}
    (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A contract in git, of which a schema was superseded TODAY; not yet committed."""
    folder = overlaid(tmp_path)
    commit_on(folder, TODAY - DAY)
    policy = folder / POLICY
    policy.write_text(policy.read_text().replace("ok: keep", "ok: {do: keep, as: good}"))
    assert len(built(folder, TODAY).superseded) == 1
    return folder


def test_a_schema_is_removed_when_the_index_and_the_commits_say_that_it_has_expired(folder: Path) -> None:
    commit_on(folder, TODAY)
    assert built(folder, TODAY + LAST).expired == ()
    done = built(folder, TODAY + LAST + DAY)
    assert len(done.expired) == 1
    assert done.doubted == ()
    assert not (folder / done.expired[0].file).exists()


@pytest.mark.parametrize("again", [False, True])
def test_an_entry_that_is_dated_back_removes_nothing_early(again: bool, folder: Path) -> None:
    commit_on(folder, TODAY)
    redated(folder, TODAY - 400 * DAY, TODAY - 300 * DAY)
    if again:
        commit_on(folder, TODAY)
    done = built(folder, TODAY + DAY)
    assert done.expired == ()
    index = (folder / INDEX).read_text()
    assert "schemas/minimized" in index
    assert len(list(folder.glob("schemas/minimized/*/superseded/*.avsc"))) == 1


def test_the_reason_names_the_day_that_the_commits_give(folder: Path) -> None:
    commit_on(folder, TODAY)
    contract = load_for_building(folder, as_of=TODAY)
    doubts = doubts_in(folder, INDEX, contract, TODAY + DAY)
    redated(folder, TODAY - 400 * DAY, TODAY - 300 * DAY)
    (name,) = json.loads((folder / INDEX).read_text())
    (one,) = read_superseded({INDEX: (folder / INDEX).read_bytes()}, INDEX).lost
    assert f"{TODAY + LAST}" in doubts([one])[name]


def test_an_entry_that_was_dated_back_from_its_first_commit_counts_from_that_commit(folder: Path) -> None:
    redated(folder, TODAY - 400 * DAY, TODAY - 300 * DAY)
    commit_on(folder, TODAY)
    assert built(folder, TODAY + LAST).expired == ()
    assert len(built(folder, TODAY + LAST + DAY).expired) == 1


def test_a_commit_that_is_dated_before_those_it_builds_on_is_not_believed(folder: Path) -> None:
    redated(folder, TODAY - 400 * DAY, TODAY - 300 * DAY)
    commit_on(folder, TODAY - 400 * DAY)
    assert built(folder, TODAY + LAST - DAY).expired == ()


@pytest.mark.parametrize("missing", ["commit", "repository"])
def test_without_a_commit_that_lists_it_nothing_is_removed(missing: str, folder: Path) -> None:
    if missing == "repository":
        (folder / ".git").rename(folder.parent / f"{folder.name}.git")
    ((one, why),) = built(folder, TODAY + 999 * DAY).doubted
    assert "cannot be checked" in why
    assert (folder / one.file).exists()


def test_a_later_day_that_a_commit_had_is_kept_to(folder: Path) -> None:
    redated(folder, TODAY, TODAY + 200 * DAY)
    commit_on(folder, TODAY)
    redated(folder, TODAY, TODAY + LAST)
    assert built(folder, TODAY + 200 * DAY).expired == ()
    assert len(built(folder, TODAY + 201 * DAY).expired) == 1
