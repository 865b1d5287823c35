"""The pipeline as docker-compose.yml runs it: traffic goes through, the demo's checks hold, and it survives a death.

The tests build on one another, in their order: one deployment goes through all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipelines.contract import load_valid
from pipelines.demo.checks import CHECKS
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from tests.containers.deployment import FILES, Deployment, deployed, said, slot_of
from tests.containers.monitoring import Server, alerts, expressions
from tests.support.calm import calm
from tests.support.commands import free_port
from tests.support.container_engine import ROOT, Compose, docker, health, inspected, python
from tests.support.waiting import until

pytestmark = [pytest.mark.container, pytest.mark.brokers(1)]

# What a container that was killed had counted is gone with it; the books are not.
# They show what a sound run does not have.
MAY_BE_EMPTY = {"min by (raw_topic, topic) (pipelines_expiry_seconds) < +Inf"}
NOT_AFTER_A_DEATH = "the metrics say what the books say"


@pytest.fixture(scope="module")
def deployment(
    image: str, kafka_image: str, prometheus_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    contract, port, prometheus_port = load_valid(ROOT, as_of=datetime.now(UTC).date()), free_port(), free_port()
    environment = {
        "PIPELINES_TAG": image.partition(":")[2],
        "PIPELINES_KAFKA_IMAGE": kafka_image,
        "PIPELINES_KAFKA_PORT": str(port),
        "PIPELINES_PROMETHEUS_IMAGE": prometheus_image,
        "PIPELINES_PROMETHEUS_PORT": str(prometheus_port),
    }
    compose = Compose(f"pipelines-tests-{os.getpid()}", FILES, environment)
    with deployed(compose, contract, f"127.0.0.1:{port}", tmp_path_factory.mktemp("deployment")) as one:
        yield one


def test_every_container_is_locked_down(deployment: Deployment) -> None:
    containers = deployment.compose.containers()
    assert len(containers) == 4 + len(deployment.contract.sources)
    for container in containers:
        host = inspected(container)["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["CapAdd"] is None
        assert host["Privileged"] is False
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0


def test_simulated_events_flow_and_every_check_of_the_demo_holds(deployment: Deployment) -> None:
    simulator = deployment.simulate(1, 6_000, 3_000)
    deployment.wait_until_healthy()
    assert deployment.simulated(simulator) == 6_000
    deployment.wait_until_through()
    checks = deployment.judged()
    assert {check.name: check.detail for check in checks if not check.held} == {}
    assert len(checks) == len(CHECKS)


def test_containers_are_added_killed_and_replaced_and_the_accounts_stay_exact(deployment: Deployment) -> None:
    deployment.compose("up", "-d", "--no-recreate", "--scale", "minimizer-proxy=2", "minimizer-proxy")
    first, second = deployment.compose.containers("minimizer-proxy")
    until(lambda: said(second, "partitions.assigned"), "partitions of the second container")
    before = deployment.events_in("proxy")
    simulator = deployment.simulate(2, 10_000, 1_000)
    until(lambda: deployment.events_in("proxy") > before, "a flow")
    docker("kill", first)
    at_death = deployment.events_in("proxy")
    docker("start", first)
    deployment.compose("up", "-d", "--no-deps", "--force-recreate", "minimizer-tor")  # as for an upgrade
    until(lambda: len(said(first, "worker.ready")) == 2, "the killed container's worker, again")
    deployment.simulated(simulator)
    deployment.wait_until_through()
    assert before < at_death < deployment.events_in("proxy")
    # It is back in its own slot, which nobody else has.
    assert {line["worker"] for line in said(first, "worker.started")} == {slot_of(first)}
    assert {line["worker"] for line in said(second, "worker.started")} == {slot_of(second)}
    assert len({slot_of(one) for one in deployment.minimizers()}) == len(deployment.minimizers())
    wrong = {check.name: check.detail for check in deployment.judged() if not check.held}
    assert {name: detail for name, detail in wrong.items() if name != NOT_AFTER_A_DEATH} == {}


def test_prometheus_finds_every_minimizer_and_every_panel_shows_something(deployment: Deployment) -> None:
    server = Server(f"http://{deployment.published('prometheus', 9090)}")
    minimizers = len(deployment.minimizers())
    assert minimizers == 1 + len(deployment.contract.sources)
    until(lambda: server.query('sum(up{job="minimizers"})') == [float(minimizers)], "every minimizer")
    # A rate needs two looks, 15 s apart, at what the last minutes counted.
    silent = set(expressions()) - MAY_BE_EMPTY

    def all_speak() -> bool:
        time.sleep(2)
        silent.difference_update([one for one in silent if server.query(one)])
        return not silent

    until(all_speak, "a value of every panel", progress=silent.copy)
    rules = server.rules()
    assert {rule["name"] for rule in rules} == alerts()
    assert {rule["health"] for rule in rules} == {"ok"}


def test_an_overloaded_worker_is_healthy_and_a_stopped_one_is_not(deployment: Deployment) -> None:
    [container] = deployment.compose.containers("minimizer-vpn")
    docker("update", "--cpus", "0.1", container)
    simulator = deployment.simulate(3, 60_000, 30_000, "vpn.session")
    seen = [health(container)]

    def seen_often() -> bool:
        time.sleep(0.2)
        if deployment.behind() > 1_000:
            seen.append(health(container))
        return len(seen) == 12

    until(seen_often, "twelve looks at an overloaded worker", progress=seen.copy)
    docker("update", "--cpus", "2", container)
    assert set(seen) == {"healthy"}
    assert deployment.simulated(simulator) == 60_000
    pid = said(container, "worker.started")[-1]["pid"]
    python(container, f"import os, signal; os.kill({pid}, signal.SIGSTOP)")
    until(lambda: health(container) == "unhealthy", "a container that is told to be unhealthy")
    others = [health(one) for one in deployment.minimizers() if one != container]
    python(container, f"import os, signal; os.kill({pid}, signal.SIGCONT)")
    until(lambda: health(container) == "healthy", "health after that")
    assert set(others) == {"healthy"}


def test_minimizers_that_are_stopped_at_work_leave_within_the_transaction_timeout(deployment: Deployment) -> None:
    simulator = deployment.simulate(4, 8_000, 4_000)
    before = deployment.books()
    until(lambda: deployment.books() != before, "work in progress")
    with calm() as sampled:
        started = time.monotonic()
        deployment.compose("stop", *(f"minimizer-{source}" for source in deployment.contract.sources))
        # But for the time in which this machine was short of CPU.
        assert sampled.seconds(started, time.monotonic()) < TRANSACTION_TIMEOUT_MS / 1000
    assert {inspected(one)["State"]["ExitCode"] for one in deployment.minimizers()} == {0}
    assert {place: book.imbalances() for place, book in deployment.books().items() if book.imbalances()} == {}
    deployment.simulated(simulator)


def test_down_leaves_nothing(deployment: Deployment) -> None:
    assert deployment.compose.left().keys() == {"containers", "volumes", "networks"}
    mounts = [mount for one in deployment.compose.containers() for mount in inspected(one)["Mounts"]]
    volumes = {mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    assert len(volumes) > len(deployment.compose.left()["volumes"].split())  # Kafka's image has some without a name
    deployment.compose("--profile", "simulate", "--profile", "monitoring", "down", "-v")
    assert deployment.compose.left() == {}
    assert volumes & set(docker("volume", "ls", "-q").split()) == set()
