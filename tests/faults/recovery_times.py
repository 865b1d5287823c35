"""How long a source stands still when its worker dies: restarted in its slot, or taken over by another worker.

Times are from the SIGKILL (or SIGSTOP) on. A restart ends with the slot's first new commit; a takeover ends when every
raw partition is committed beyond where it stood.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
import structlog

from pipelines.relay.steps import Step
from pipelines.relay.supervisor import Supervisor
from tests.faults.orders import Line, Order, TrailReader
from tests.faults.recovery_scene import Progress, Scene
from tests.support.calm import Calm
from tests.support.processes import ended
from tests.support.waiting import CALL_S, joined, until

PLACES: Final = (
    Step.POLLED,
    Step.PRODUCING,
    Step.PRODUCED,
    Step.OFFSETS_SENT,
    Step.COMMITTING,
    "in-flight",
    Step.COMMITTED,
    "anywhere",
)
# Where a worker dies decides whether it leaves a transaction open, and whether that holds offsets.
TAKEOVER_PLACES: Final = (Step.POLLED, Step.PRODUCING, Step.OFFSETS_SENT)
STAGES: Final = ("spawned", "worker.started", "worker.ready", "partitions.assigned", "committed")
_FLIGHT_MS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """One death, and when it was (`time.monotonic`).

    `stages` are the seconds from it to each stage of the successor's start, where those were seen.
    """

    place: str
    seconds: float
    stages: dict[str, float]
    died_at: float

    def calm_s(self, sampled: Calm) -> float:
        """Return the seconds until recovery without those in which the machine was short of CPU."""
        return sampled.seconds(self.died_at, self.died_at + self.seconds)


class Follower:
    """The workers' trail, line by line."""

    def __init__(self, reader: TrailReader) -> None:
        self._reader = reader
        self._lines = deque[Line]()

    def next(self) -> Line | None:
        """The next line, if there is one by now."""
        self._lines.extend(self._reader.news())
        return self._lines.popleft() if self._lines else None

    def skip(self) -> None:
        """Pass over all that is there by now."""
        while self.next() is not None:
            pass


def restarts(scene: Scene, kills: int, *, every_s: float, seed: int) -> list[Recovery]:
    """Kill the one worker of a supervisor so often, with a pause after each of its first commits."""
    chance, done = random.Random(seed), list[Recovery]()
    supervisor = Supervisor([scene.slot(0)], structlog.stdlib.get_logger(), scene.launch())
    with _supervising(supervisor), _follow(scene) as trail:
        wait_for(trail, lambda line: line.said == "committed")
        for number in range(kills):
            time.sleep(every_s * chance.uniform(0.5, 1.5))
            place = PLACES[number % len(PLACES)]
            if place == "anywhere":
                died = time.monotonic()
                os.kill(supervisor.slots[0].pids[-1], signal.SIGKILL)
                trail.skip()
            else:
                scene.desk.give(0, _order(number, "die", place))
                died = wait_for(trail, lambda line: line.said == "dies").at
            back = wait_for(trail, lambda line: line.said == "started").at
            committed = wait_for(trail, lambda line: line.said == "committed").at
            stages = {"spawned": back - died, **_logged(scene, died), "committed": committed - died}
            done.append(Recovery(str(place), committed - died, stages, died))
    return done


def takeovers(scene: Scene, kills: int, *, stop: bool) -> list[Recovery]:
    """Kill (or with `stop`, put to sleep for good) one of two workers that nobody restarts, so often."""
    done, progress = list[Recovery](), Progress(scene)
    with _follow(scene) as trail, _alone(scene, 1, gently=True):
        for number in range(kills):
            with _alone(scene, 0):
                wait_for(trail, lambda line: line.said == "committed" and line.slot == 0)
                progress.wait_until_past(progress.now())
                place = TAKEOVER_PLACES[number % len(TAKEOVER_PLACES)]
                scene.desk.give(0, _order(number, "sleep" if stop else "die", place))
                died = wait_for(trail, lambda line: line.said in {"dies", "sleeps"}).at
                taken = progress.wait_until_past(progress.now()) - died
            done.append(Recovery(str(place), taken, {}, died))
    return done


def wait_for(trail: Follower, wanted: Callable[[Line], bool]) -> Line:
    """Return the next line of the trail that is wanted; those before it are passed over."""
    passed_over = 0

    def next_wanted() -> Line | None:
        nonlocal passed_over
        while (line := trail.next()) is not None:
            if wanted(line):
                return line
            passed_over += 1
        return None

    line = until(next_wanted, "a line in the workers' trail", progress=lambda: passed_over)
    assert line is not None
    return line


def finish(scene: Scene) -> None:
    """Let a worker bring everything through."""
    admin = scene.cluster.admin(timeout_s=CALL_S)
    ends = {key: end.offset for key, end in admin.offsets(scene.partitions, "latest").items()}
    with _supervising(Supervisor([scene.slot(0)], structlog.stdlib.get_logger(), scene.launch())):
        Progress(scene).wait_until_at(ends)


@contextmanager
def _follow(scene: Scene) -> Iterator[Follower]:
    with scene.trail() as reader:
        follower = Follower(reader)
        follower.skip()
        yield follower


def _order(number: int, what: str, place: str) -> Order:
    if place == "in-flight":
        return Order(number, "die", Step.COMMITTING, delay_ms=_FLIGHT_MS)
    return Order(number, "die" if what == "die" else "sleep", place)


@contextmanager
def _supervising(supervisor: Supervisor) -> Iterator[None]:
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        joined(thread, "the supervisor")


@contextmanager
def _alone(scene: Scene, slot: int, *, gently: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A worker without a supervisor; killed in the end, however it stands then, or `gently` asked to leave.

    The survivor must leave: a transaction that it left open would hide what is behind it from the last look.
    """
    process = scene.launch().process()
    assert process.stdin is not None
    process.stdin.write(scene.slot(slot).to_json() + b"\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        if gently:
            process.terminate()
        else:
            process.kill()
        ended(process, "a worker that was asked to leave" if gently else "a killed worker")
        process.stdin.close()


def _logged(scene: Scene, since: float) -> dict[str, float]:
    """When the worker's log says that a stage was reached, in seconds after that moment."""
    ahead = time.time() - time.monotonic()
    found: dict[str, float] = {}
    whole, _, _ = (scene.folder / "workers.log").read_bytes().rpartition(b"\n")
    for line in map(orjson.loads, whole.splitlines()):
        after = datetime.fromisoformat(line["timestamp"]).timestamp() - ahead - since
        if after > 0 and line["event"] in STAGES:
            found.setdefault(line["event"], after)
    return found
