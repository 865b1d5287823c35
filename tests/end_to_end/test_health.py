"""`pipelines health` and a stuck worker, with real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines import __version__
from pipelines.broker import Cluster
from pipelines.trouble import Exit
from tests.support.commands import arguments, free_port, run, running
from tests.support.relay_fixture import build
from tests.support.waiting import until

pytestmark = pytest.mark.broker


def test_a_stopped_worker_is_stuck_and_a_busy_one_is_not(tmp_path: Path, cluster: Cluster) -> None:
    house, port = build(tmp_path, cluster), str(free_port())

    def health(*more: str) -> int:
        return run("health", "--metrics-port", port, *more, cwd=house.folder).returncode

    assert health() == Exit.UNAVAILABLE
    house.publish([house.ping(number % 4000) for number in range(60_000)])
    with running(*arguments(house, "--metrics-port", port), cwd=house.folder) as crew:
        [started] = crew.wait_until_said("worker.ready")
        answers = [health() for _ in range(3)]  # while it works off what was there
        house.wait_until_through()
        assert answers == [Exit.DONE] * 3
        [worker] = crew.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        until(lambda: health("--within", "2") == Exit.FINDINGS, "a stuck worker that is told")
        told = orjson.loads(run("health", "--metrics-port", port, "--within", "2", "--json", cwd=house.folder).stdout)
        assert [(one["source"], one["state"]) for one in told["workers"]] == [(house.source, "stuck")]
        os.kill(worker.pid, signal.SIGCONT)
        until(lambda: health("--within", "2") == Exit.DONE, "health after that")
        assert started["worker"] == f"minimizer.{house.source}.test.0"
        assert crew.end() == Exit.DONE


def test_a_contract_that_changes_on_disk_is_told_and_changes_nothing(tmp_path: Path, cluster: Cluster) -> None:
    """The workers go on with what they read, and the run is healthy, also while the contract has errors."""
    house, port = build(tmp_path, cluster), str(free_port())
    topics = house.folder / "topics.yaml"
    first = topics.read_text()
    other = first.replace("ttl: 7d", "ttl: 6d")
    assert other != first

    def asked() -> dict[str, Any]:
        found = run("health", "--metrics-port", port, "--json", cwd=house.folder)
        assert found.returncode == Exit.DONE
        document: dict[str, Any] = orjson.loads(found.stdout)
        return document

    with running(*arguments(house, "--metrics-port", port), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready")
        [worker] = asked()["workers"]
        assert (worker["version"], worker["policy_version"]) == (__version__, house.contract.policy_version)
        for text, state in ((other, "differs"), ("topics: [\n", "unreadable"), (first, "same")):
            topics.write_text(text)
            crew.wait_until_said("contract.on_disk", state=state)
            house.publish([house.ping(number) for number in range(100)])
            house.wait_until_through()
            assert asked()["contract_on_disk"] == state
        told = run("health", "--metrics-port", port, cwd=house.folder).stdout
        assert f"release {__version__}, contract {house.contract.policy_version}\n" in told
        assert told.endswith("contract on disk: the one that the workers run\n")
        assert [line["state"] for line in crew.said("contract.on_disk")] == ["differs", "unreadable", "same"]
        assert not crew.said("supervisor.worker_ended")
        assert crew.end() == Exit.DONE
