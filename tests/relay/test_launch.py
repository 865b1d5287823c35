"""A worker's process runs no code from the folder in which `pipelines run` was started, most often the contract's."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.relay.supervisor import Launch
from tests.support.planted import imported, plant, top_level_modules_of
from tests.support.processes import ended

pytestmark = pytest.mark.slow


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plant a module for each name that a worker imports, and go there; return where imports are noted."""
    names = top_level_modules_of("pipelines.relay.process")
    assert {"pipelines", "orjson", "confluent_kafka", "yaml", "json", "logging"} <= set(names)
    folder, file = tmp_path / "contract", tmp_path / "imported"
    folder.mkdir()
    plant(folder, [*names, "sitecustomize", "usercustomize"], file)
    monkeypatch.chdir(folder)
    return file


@pytest.mark.parametrize("as_spare", [False, True])
def test_a_worker_and_a_spare_import_nothing_from_the_current_folder(noted: Path, as_spare: bool) -> None:
    with Launch().process(Path.cwd() if as_spare else None) as process:
        assert process.stdin is not None
        process.stdin.close()  # it imports all that it needs before it asks for its settings
        assert ended(process, "a worker without settings") == 0
    assert imported(noted) == []


def test_the_planted_modules_are_imported_where_a_process_looks_into_the_current_folder_first(noted: Path) -> None:
    subprocess.run([sys.executable, "-m", "pipelines.relay.process"], stdin=subprocess.DEVNULL, check=False)
    assert imported(noted) != []
