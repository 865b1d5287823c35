"""The supervisor, with stand-ins for workers that write down who they are."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from pipelines.relay.settings import WorkerSettings
from pipelines.relay.supervisor import Ages, Launch, Supervisor
from tests.support.waiting import joined, until

pytestmark = pytest.mark.slow

# Reads its settings, says so in a file, and ends by its parent's wish or as its orders say.
STAND_IN = """
import json, os, pathlib, signal, sys
folder, order = pathlib.Path(sys.argv[1]), sys.argv[2]
settings = json.loads(sys.stdin.readline() or sys.exit(0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if order == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if order == "early":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
(folder / f"{settings['slot']}.{os.getpid()}").write_text(json.dumps(settings))
if order == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if order == "fail":
    sys.exit(3)
if order == "deaf":
    signal.pause()
sys.stdin.read()
(folder / f"gone.{os.getpid()}").touch()
"""


def settings(tmp_path: Path, slot: int) -> WorkerSettings:
    return WorkerSettings(
        source="synthetic",
        instance="test",
        slot=slot,
        contract_dir=tmp_path,
        bootstrap="127.0.0.1:1",
        keyring=tmp_path / "keyring.json",
        kek_file=tmp_path / "kek",
        properties={"sasl.password": "SYNTHETIC-PASSWORD"},
    )


def children() -> set[int]:
    """The processes that this one has started and not buried."""
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


@contextmanager
def supervising(
    tmp_path: Path,
    order: str = "stay",
    slots: int = 2,
    stuck: Callable[[Ages], Collection[tuple[str, int]]] = lambda _ages_s: (),
    look_every_s: float = 5.0,
) -> Iterator[tuple[Supervisor, list[int], list[int]]]:
    ended: list[int] = []
    codes: list[int] = []
    launch = Launch(
        (sys.executable, "-c", STAND_IN, str(tmp_path), order),
        grace_s=1.0 if order == "deaf" else 30.0,
        look_every_s=look_every_s,
        healthy_s=3_600.0,  # on a busy machine a stand-in that ends at once may take long for it
        quick_within_s=36_000.0,
    )
    workers = [settings(tmp_path, slot) for slot in range(slots)]
    supervisor = Supervisor(workers, structlog.stdlib.get_logger(), launch, ended.append, stuck)
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
    thread.start()
    try:
        yield supervisor, ended, codes
    finally:
        supervisor.stop()
        joined(thread, "the supervisor", progress=lambda: len(ended))


def started(tmp_path: Path, slot: int) -> list[int]:
    return [int(file.name.split(".")[1]) for file in tmp_path.glob(f"{slot}.*")]


def pauses(lines: list[EventDict]) -> list[float]:
    """How long the supervisor waited after each death of a worker, by what it logged."""
    return [line["restart_in_s"] for line in list(lines) if line["event"] == "supervisor.worker_ended"]


def test_a_killed_worker_is_restarted_in_its_own_slot_and_the_others_are_left_alone(tmp_path: Path) -> None:
    with supervising(tmp_path) as (supervisor, ended, codes):
        until(lambda: all(started(tmp_path, slot) for slot in (0, 1)), "both workers' start")
        killed, other = started(tmp_path, 1)[0], started(tmp_path, 0)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(started(tmp_path, 1)) == 2, "the second start in slot 1")
        assert started(tmp_path, 0) == [other]
        assert ended == [killed]
        assert [slot.restarts for slot in supervisor.slots] == [0, 1]
    assert codes == [0]
    first, second = (json.loads((tmp_path / f"1.{pid}").read_text()) for pid in started(tmp_path, 1))
    assert first == second
    assert WorkerSettings.from_json(json.dumps(first).encode()) == settings(tmp_path, 1)


def test_a_worker_that_keeps_dying_waits_longer_each_time_and_gives_its_exit_code(tmp_path: Path) -> None:
    with capture_logs() as lines, supervising(tmp_path, "fail", 1) as (_, _, codes):
        until(lambda: len(pauses(lines)) >= 3, "three deaths", progress=lambda: len(lines))
    assert pauses(lines)[:3] == [0.5, 1.0, 2.0]
    assert codes == [3]


def test_a_death_makes_the_spare_a_worker_and_there_is_another_spare(tmp_path: Path) -> None:
    before = children()
    with supervising(tmp_path, slots=1) as (_, ended, _codes):
        until(lambda: started(tmp_path, 0), "the worker's start")
        first = started(tmp_path, 0)[0]
        until(lambda: len(children() - before) == 2, "a worker and a spare")
        (spare,) = children() - before - {first}
        os.kill(first, signal.SIGKILL)
        until(lambda: len(started(tmp_path, 0)) == 2, "the second start in slot 0")
        assert set(started(tmp_path, 0)) == {first, spare}
        until(lambda: len(children() - before) == 2, "a worker and a spare")
        assert ended == [first]
    assert children() == before


def test_a_spare_that_dies_is_missed_by_nobody(tmp_path: Path) -> None:
    before = children()
    with supervising(tmp_path, slots=1) as (supervisor, ended, codes):
        until(lambda: started(tmp_path, 0), "the worker's start")
        worker = started(tmp_path, 0)[0]
        until(lambda: len(children() - before) == 2, "a worker and a spare")
        (spare,) = children() - before - {worker}
        os.kill(spare, signal.SIGKILL)
        until(lambda: ended == [spare], "the spare's end")
        os.kill(worker, signal.SIGKILL)
        until(lambda: len(started(tmp_path, 0)) == 2, "the second start in slot 0")
        assert spare not in started(tmp_path, 0)
        assert supervisor.slots[0].restarts == 1
    assert codes == [0]


def test_the_first_crashes_are_restarted_at_once_and_a_crash_loop_is_slowed_down(tmp_path: Path) -> None:
    with capture_logs() as lines, supervising(tmp_path, "crash", 1):
        until(lambda: len(pauses(lines)) >= 12, "twelve deaths", progress=lambda: len(lines))
    assert pauses(lines)[:12] == [0.0] * 10 + [0.5, 1.0]


def test_a_worker_that_stays_stuck_is_killed_and_started_again_and_one_that_seemed_so_once_is_not(
    tmp_path: Path,
) -> None:
    looks, told, watched = 0, 0, list[Supervisor]()

    def stuck(ages_s: Ages) -> list[tuple[str, int]]:
        nonlocal looks, told
        assert all(0 <= age_s < 600 for age_s in ages_s.values())
        looks += 1
        # The second process in slot 1 is not stuck, though it may take long to start.
        if not watched or watched[0].slots[1].restarts or not all(started(tmp_path, slot) for slot in (0, 1)):
            return []
        told += 1
        return [("synthetic", 1), ("synthetic", 0)] if told == 1 else [("synthetic", 1)]

    with supervising(tmp_path, stuck=stuck, look_every_s=0.2) as (supervisor, ended, codes):
        watched.append(supervisor)
        until(lambda: len(started(tmp_path, 1)) == 2, "the second start in slot 1")
        was = looks
        until(lambda: looks > was + 3, "more looks", progress=lambda: looks)
        assert [slot.restarts for slot in supervisor.slots] == [0, 1]
        assert ended == started(tmp_path, 1)[:1] or ended == started(tmp_path, 1)[1:]
    assert codes == [0]


def test_stopping_ends_every_worker(tmp_path: Path) -> None:
    with supervising(tmp_path) as (_, ended, codes):
        until(lambda: all(started(tmp_path, slot) for slot in (0, 1)), "both workers' start")
    assert codes == [0]
    assert set(started(tmp_path, 0) + started(tmp_path, 1)) <= set(ended)  # and a spare, if there was one by then
    assert len(ended) == len(set(ended))
    for pid in ended:
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_before_its_workers_are_up_ends_well(tmp_path: Path, number: int) -> None:
    with supervising(tmp_path, "early", 1) as (supervisor, _, codes):
        until(lambda: started(tmp_path, 0), "the worker's start")
        supervisor.stop()  # and at the same moment, as Ctrl-C does, to the worker itself
        os.kill(started(tmp_path, 0)[0], number)
    assert codes == [0]


def test_a_worker_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    with supervising(tmp_path, "deaf", 1) as (_, ended, codes):
        until(lambda: started(tmp_path, 0), "the worker's start")
    assert codes == [128 + signal.SIGKILL]
    assert not Path(f"/proc/{ended[0]}").exists()


def test_a_process_that_cannot_be_started_is_tried_again_and_ends_no_other(tmp_path: Path) -> None:
    class Scarce(Launch):
        """The second process and the two after it get no memory."""

        asked = 0

        def process(self, read_ahead: Path | None = None, overlay: str | None = None) -> subprocess.Popen[bytes]:
            Scarce.asked += 1
            if 2 <= Scarce.asked <= 4:
                raise OSError(errno.EAGAIN, "synthetic")
            return super().process(read_ahead, overlay)

    launch = Scarce((sys.executable, "-c", STAND_IN, str(tmp_path), "stay"), grace_s=30.0, spare=False)
    supervisor, codes = Supervisor([settings(tmp_path, 0), settings(tmp_path, 1)], structlog.get_logger(), launch), []
    with capture_logs() as lines:
        thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
        thread.start()
        until(lambda: started(tmp_path, 0) and started(tmp_path, 1), "both workers", progress=lambda: len(lines))
        supervisor.stop()
        joined(thread, "the supervisor")
    failed = [line for line in lines if line["event"] == "supervisor.worker_not_started"]
    assert [(line["slot"], line["restart_in_s"]) for line in failed] == [(1, 0.5), (1, 1.0), (1, 2.0)]
    assert failed[0]["reason"] == os.strerror(errno.EAGAIN)
    assert supervisor.slots[0].restarts == 0
    assert codes == [0]


def test_settings_never_show_in_the_process_list(tmp_path: Path) -> None:
    with supervising(tmp_path, slots=1):
        until(lambda: started(tmp_path, 0), "the worker's start")
        process = Path(f"/proc/{started(tmp_path, 0)[0]}")
        assert b"SYNTHETIC-PASSWORD" not in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
