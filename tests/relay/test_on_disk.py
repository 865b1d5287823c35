"""The contract on disk beside the one that workers run: what is found, and how often it is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry, Gauge
from structlog.testing import capture_logs

from pipelines.contract import load_valid
from pipelines.relay import on_disk
from pipelines.relay.health import State, look
from pipelines.relay.on_disk import ContractOnDisk, OnDisk
from tests.support.shipped import ROOT

pytestmark = pytest.mark.slow

SLOT = ("vpn", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("schemas", "policies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "topics.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def version(folder: Path) -> str:
    return load_valid(folder, as_of=datetime.now(UTC).date()).policy_version


def runs(registry: CollectorRegistry, *policy_versions: str) -> None:
    """Show workers, one for each policy version."""
    info = Gauge(
        "pipelines_contract_info", "as the workers'", ["source", "slot", "version", "policy_version"], registry=registry
    )
    for slot, policy_version in enumerate(policy_versions):
        info.labels("vpn", str(slot), "1.2.3", policy_version).set(1)


def watched(folder: Path, registry: CollectorRegistry) -> ContractOnDisk:
    contract = load_valid(folder, as_of=datetime.now(UTC).date())
    found = ContractOnDisk(folder, None, contract, registry, structlog.stdlib.get_logger())
    registry.register(found)
    return found


def shown(registry: CollectorRegistry) -> dict[str, float]:
    return {
        sample.labels["state"]: sample.value
        for metric in registry.collect()
        if metric.name == "pipelines_contract_on_disk"
        for sample in metric.samples
    }


def change(folder: Path) -> None:
    topics = folder / "topics.yaml"
    changed = topics.read_text().replace("ttl: 24h", "ttl: 25h", 1)
    assert changed != topics.read_text()
    topics.write_text(changed)


def test_each_change_is_found_and_said_once(folder: Path, registry: CollectorRegistry) -> None:
    began, topics = version(folder), (folder / "topics.yaml").read_bytes()
    runs(registry, began, began)
    watch = watched(folder, registry)

    def told(do: Callable[[], object]) -> list[tuple[str, str]]:
        do()
        with capture_logs() as lines:
            for _ in range(3):
                watch.look()
        return [(line["log_level"], line["state"]) for line in lines if line["event"] == "contract.on_disk"]

    assert told(lambda: None) == []
    assert shown(registry) == {"same": 1, "differs": 0, "unreadable": 0}
    assert told(lambda: change(folder)) == [("warning", "differs")]
    assert shown(registry) == {"same": 0, "differs": 1, "unreadable": 0}
    assert told(lambda: (folder / "topics.yaml").write_text("topics: [\n")) == [("warning", "unreadable")]
    assert shown(registry) == {"same": 0, "differs": 0, "unreadable": 1}
    assert told(lambda: shutil.rmtree(folder)) == []  # as unreadable as before
    assert told(lambda: shutil.copytree(ROOT / "policies", folder / "policies")) == []
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    assert told(lambda: (folder / "topics.yaml").write_bytes(topics)) == [("info", "same")]
    assert shown(registry) == {"same": 1, "differs": 0, "unreadable": 0}


def test_a_contract_that_one_worker_of_two_runs_differs(folder: Path, registry: CollectorRegistry) -> None:
    runs(registry, version(folder), "0" * 12)
    watch = watched(folder, registry)
    watch.look()
    assert watch.finding({version(folder)}) is OnDisk.SAME
    assert shown(registry)["differs"] == 1


def test_a_run_that_has_no_worker_yet_is_compared_with_what_it_read(folder: Path, registry: CollectorRegistry) -> None:
    watch = watched(folder, registry)
    watch.look()
    assert shown(registry)["same"] == 1
    change(folder)
    watch.look()
    assert shown(registry)["differs"] == 1


def test_files_that_did_not_change_are_not_read_again(
    folder: Path, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, reads = watched(folder, registry), 0
    read = on_disk.current

    def counted(*arguments: object) -> object:
        nonlocal reads
        reads += 1
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(on_disk, "current", counted)
    for _ in range(5):
        watch.look()
    assert reads == 1
    (folder / "topics.yaml").touch()
    for _ in range(5):
        watch.look()
    assert reads == 2


def test_nothing_that_lies_in_the_folder_is_run(folder: Path, registry: CollectorRegistry) -> None:
    watch, trace = watched(folder, registry), folder / "trace"
    for name in ("sitecustomize.py", "__init__.py", "policies/__init__.py", "schemas/conftest.py"):
        (folder / name).write_text(f"open({str(trace)!r}, 'w')\n")
    lists = folder / "policies/lists.yaml"
    lists.write_text(f"regions: !!python/object/apply:os.mkdir [{trace}]\n")
    watch.look()
    assert shown(registry)["unreadable"] == 1
    assert not trace.exists()


def test_health_has_each_slots_release_and_contract(registry: CollectorRegistry) -> None:
    runs(registry, "0123456789ab")
    beat = Gauge("pipelines_worker_beat_timestamp_seconds", "as the workers'", ["source", "slot"], registry=registry)
    beat.labels("vpn", "0").set(1000)
    first, second = look([SLOT, ("vpn", 1)], registry, 1000)
    assert (first.state, first.version, first.policy_version) == (State.WORKING, "1.2.3", "0123456789ab")
    assert (second.state, second.version, second.policy_version) == (State.ABSENT, None, None)
