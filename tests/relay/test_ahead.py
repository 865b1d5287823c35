"""Reading the contract ahead of need: early, and never out of date."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.relay.ahead import FOLDER, Ahead, current, read_ahead
from pipelines.trouble import Exit, Trouble

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("schemas", "policies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "topics.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ahead:
    monkeypatch.setenv(FOLDER, str(folder))
    read = read_ahead()
    assert read is not None
    return read


def test_what_was_read_ahead_is_used_while_nothing_has_changed(folder: Path, ahead: Ahead) -> None:
    assert current(folder, ahead) is ahead.contract


def test_without_a_folder_in_the_environment_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    assert read_ahead() is None


def test_a_file_that_changed_is_read_anew_even_with_its_size_and_its_time_kept(folder: Path, ahead: Ahead) -> None:
    topics = folder / "topics.yaml"
    before = topics.stat()
    changed = topics.read_text().replace("ttl: 24h", "ttl: 25h", 1)
    assert changed != topics.read_text()
    topics.write_text(changed)
    os.utime(topics, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert current(folder, ahead).digest != ahead.contract.digest


def test_a_file_that_was_added_is_seen(folder: Path, ahead: Ahead) -> None:
    (folder / "policies/stray.yaml").write_text("{}\n")
    with pytest.raises(Trouble) as refused:
        current(folder, ahead)
    assert refused.value.exit_code is Exit.FINDINGS


def test_a_contract_of_yesterday_is_read_anew(folder: Path, ahead: Ahead) -> None:
    late = current(folder, replace(ahead, day=ahead.day - timedelta(days=1)))
    assert late is not ahead.contract
    assert late.policy_version == ahead.contract.policy_version


def test_a_contract_of_another_folder_is_not_taken(
    folder: Path, ahead: Ahead, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "contract"
    shutil.copytree(folder, other)
    assert current(other, ahead) is not ahead.contract


def test_a_contract_with_errors_is_nothing_to_read_ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "topics.yaml").write_text("raw: {}\n")
    monkeypatch.setenv(FOLDER, str(folder))
    assert read_ahead() is None
