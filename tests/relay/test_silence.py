"""A worker waits for brokers that are silent until it is told to stop; a command gives up after a while."""

from __future__ import annotations

import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from pipelines.broker import Cluster, Offset, Place, SilentClusterError, TopicInfo
from pipelines.relay.hanging import Hanging
from pipelines.relay.preflight import topic_ids, topic_ids_in_the_end
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.succession import StoppedError, Succession
from pipelines.relay.supervisor import Launch
from pipelines.relay.waits import RelayLimits
from pipelines.replay.task import ReplaySettings
from pipelines.trouble import Trouble
from tests.support.calm import Calm
from tests.support.processes import cpu_of, ended
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import StalledError, until

TOPIC = "synthetic"


class Impatient(ReplaySettings):
    """A command that gives up soon."""

    @property
    def bears_silence_s(self) -> float:
        return 0.5


class Admin:
    """Answers when the script says so; raises what it holds before."""

    def __init__(self, *script: Trouble) -> None:
        self.script = list(script)
        self.asked = 0

    def _next(self) -> None:
        self.asked += 1
        if script := list(self.script):
            del self.script[: len(script) > 1]  # the last one comes again and again
            raise script[0]

    def topics(self, names: Any = None) -> dict[str, TopicInfo]:
        self._next()
        place = Place(0, 1, (1, 2, 3), (1, 2, 3))
        return {name: TopicInfo(name, bytes(16), 1, 3, (place,)) for name in names or [TOPIC]}

    def broker_ids(self) -> tuple[int, ...]:
        return (1, 2, 3)

    def offsets(self, places: Any, *_: object, **__: object) -> dict[Any, Offset]:
        self._next()
        return {place: Offset(0, None) for place in places}


class Fake:
    """A cluster with that administration."""

    def __init__(self, admin: Any) -> None:
        self._admin = admin
        self.bootstrap = "nowhere:1"

    def admin(self, **_: object) -> Any:
        return self._admin

    def consumer(self, **settings: Any) -> Any:
        return Cluster(self.bootstrap).consumer(**settings)

    def producer(self, **settings: Any) -> Any:
        return Cluster("127.0.0.1:1").producer(**settings)


def settings(kind: type[WorkerSettings] = WorkerSettings, **more: Any) -> WorkerSettings:
    place = Path("/nowhere")
    return kind(
        source="synthetic", instance="test", slot=0, contract_dir=place, bootstrap="nowhere:1", keyring=place,
        kek_file=place, limits=RelayLimits(refused_s=0.5), **more,
    )  # fmt: skip


def station(admin: Any, of: WorkerSettings | None = None) -> Station:
    return Station(of or settings(), Fake(admin), structlog.stdlib.get_logger())  # type: ignore[arg-type]


def silence() -> SilentClusterError:
    return SilentClusterError("cannot list the offsets at nowhere:1 (_TRANSPORT)", hint="")


@pytest.mark.slow
def test_a_worker_with_a_new_producer_bears_silence_longer_than_a_refusal() -> None:
    admin, began = Admin(silence()), time.monotonic()
    answering = threading.Timer(2.0, admin.script.clear)
    answering.start()
    assert Hanging(station(admin), [TOPIC], bool).over()
    assert time.monotonic() - began > 2.0
    answering.join()


@pytest.mark.slow
def test_a_worker_that_waits_for_silent_brokers_hears_that_it_is_to_stop() -> None:
    began = time.monotonic()
    assert not Hanging(station(Admin(silence())), [TOPIC], lambda: time.monotonic() - began > 1.0).over()


@pytest.mark.slow
def test_a_refusal_ends_the_wait_although_silence_came_before() -> None:
    refusal = Trouble("cannot list the offsets at nowhere:1 (TOPIC_AUTHORIZATION_FAILED)", hint="")
    admin = Admin(silence(), silence(), refusal)
    with pytest.raises(Trouble, match="AUTHORIZATION"):
        Hanging(station(admin), [TOPIC], bool).over()


@pytest.mark.slow
def test_a_command_gives_up_on_silent_brokers(sampled: Calm) -> None:
    impatient = settings(Impatient, event="synthetic.event", name="0" * 16)
    with pytest.raises(SilentClusterError):
        Hanging(station(Admin(silence()), impatient), [TOPIC], bool).over()
    began = time.monotonic()
    with pytest.raises(SilentClusterError, match="begin a transaction"):
        Succession(station(Admin(), impatient), [TOPIC], bool).ready()
    assert sampled.seconds(began, time.monotonic()) < 20
    assert ReplaySettings.bears_silence_s.fget(impatient) == 60.0  # type: ignore[attr-defined]


def test_whether_to_look_often_is_asked_again_soon_when_nobody_answered() -> None:
    clock, admin = [1000.0], Admin(silence())
    looking = Hanging(station(admin), [TOPIC], bool, lambda: clock[0])
    assert not looking.few
    asked = admin.asked
    clock[0] += 4.0
    assert not looking.few
    assert admin.asked == asked
    clock[0] += 2.0
    assert not looking.few
    assert admin.asked > asked


class SilentAtFirst:
    """The real administration, which does not answer the first times."""

    def __init__(self, cluster: Cluster, times: int) -> None:
        self._admin, self.times = cluster.admin(), times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._admin, name)

    def broker_settings(self) -> Any:
        if self.times:
            self.times -= 1
            raise silence()
        return self._admin.broker_settings()


def test_a_worker_that_starts_while_brokers_are_silent_goes_on_when_they_answer(house: RelayFixture) -> None:
    with capture_logs() as lines:
        found = topic_ids_in_the_end(
            station(SilentAtFirst(house.cluster, 2), house.settings()), house.contract, lambda: False
        )
    assert found == topic_ids(house.contract, house.cluster, house.source)
    assert [line["event"] for line in lines] == ["worker.waiting"] * 2


def test_a_worker_that_is_told_to_stop_before_any_broker_answers_does(house: RelayFixture) -> None:
    with pytest.raises(StoppedError):
        topic_ids_in_the_end(station(Admin(silence())), house.contract, lambda: True)


@pytest.mark.parametrize("how", ["signal", "supervisor_gone"])
def test_a_process_that_waits_for_brokers_ends_when_it_is_told_to(
    house: RelayFixture, tmp_path: Path, how: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nowhere = f"127.0.0.1:{server.getsockname()[1]}"
    told = replace(house.settings(), bootstrap=nowhere)
    with (tmp_path / "log").open("wb") as log, Launch(output=log.fileno()).process() as process:
        assert process.stdin is not None
        process.stdin.write(told.to_json() + b"\n")
        process.stdin.flush()
        try:
            until(
                lambda: b"worker.waiting" in (tmp_path / "log").read_bytes(),
                "a worker that waits",
                progress=cpu_of(process.pid),
            )
            assert process.poll() is None
            if how == "signal":
                process.send_signal(signal.SIGTERM)
            else:
                process.stdin.close()
            assert ended(process, "the worker") == 0
        except StalledError:
            process.kill()
            raise
    lines = [orjson.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert lines[-1]["event"] == "worker.stopped"
    assert not [line for line in lines if line["event"] in {"worker.trouble", "worker.started"}]


def test_limits_reach_a_worker_process_as_they_are() -> None:
    told = settings()
    own = replace(told, limits=RelayLimits("always", 1.0, 2.0, 3.0, 4.0, 5.0))
    assert WorkerSettings.from_json(own.to_json()) == own != told
    assert WorkerSettings.from_json(told.to_json()) == told
