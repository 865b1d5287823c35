"""A flow of events under a fault: a producer that never stops, workers in processes of their own, and a look at both.

What it proves in the end: every event was acknowledged once and is there once, what came out is exact, and no worker's
process had to be restarted.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import orjson
import structlog

from pipelines.relay.supervisor import Launch, Supervisor
from pipelines.sdk import RawProducer
from tests.support.exactness import everything_came_out_once
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import joined, until

_BURST, _PAUSE_S = 20, 0.05  # 400 events a second
_CLOSE_S = 120.0
# A worker's process that writes down when it committed; CLOCK_MONOTONIC is the same for all processes.
_WORKER = """
import os, sys, time, faulthandler, signal
faulthandler.register(signal.SIGUSR1)
from pathlib import Path
from pipelines.relay.process import main
from pipelines.relay.steps import Step
times = Path(sys.argv[1], f"{os.getpid()}.commits").open("a", buffering=1)
def watch(step):
    if step is Step.COMMITTED:
        times.write(f"{time.monotonic()}\\n")
sys.exit(main(sys.stdin.buffer, watch=watch))
"""


@dataclass
class Flow:
    """A source's events on their way. `sent` is how many the producer was given so far."""

    house: RelayFixture
    supervisor: Supervisor
    log: Path
    sent: int = 0
    unacknowledged: list[str] = field(default_factory=list)
    acknowledged: int = 0

    def wait_for_commits(self, since: float | None = None, times: int = 3) -> None:
        """Wait until every worker has committed so often since a moment (`time.monotonic`; default: now)."""
        since = time.monotonic() if since is None else since
        until(
            lambda: min(self.commits_since(since)) >= times,
            "commits of every worker",
            progress=lambda: self.commits_since(since),
        )

    def commits_since(self, since: float) -> list[int]:
        """Return how often each worker has committed since a moment (`time.monotonic`)."""
        return [sum(at > since for at in commits) for commits in self._commits()]

    def stood_s(self, since: float) -> float:
        """The longest time since then for which a worker committed nothing."""
        longest = 0.0
        for commits in self._commits():
            points = [since, *(at for at in commits if at > since), time.monotonic()]
            longest = max(longest, *(after - before for before, after in pairwise(points)))
        return longest

    def lines(self) -> list[dict[str, Any]]:
        """What the workers logged so far."""
        whole, _, _ = self.log.read_bytes().rpartition(b"\n")
        return [orjson.loads(line) for line in whole.splitlines()]

    def _commits(self) -> list[list[float]]:
        pids = [slot.pids[-1] if slot.pids else 0 for slot in self.supervisor.slots]
        files = [self.house.folder / f"{pid}.commits" for pid in pids]
        return [[float(line) for line in file.read_text().split()] if file.exists() else [] for file in files]


@contextmanager
def flowing(house: RelayFixture, *, workers: int = 2, **settings: Any) -> Iterator[Flow]:
    """Publish and relay while the block runs; then let everything through and compare it with the oracle."""
    log = house.folder / "workers.log"
    with log.open("wb") as output:
        launch = Launch((sys.executable, "-c", _WORKER, str(house.folder)), output=output.fileno())
        slots = [house.settings(slot, session_timeout_ms=6_000, **settings) for slot in range(workers)]
        supervisor = Supervisor(slots, structlog.stdlib.get_logger(), launch)
        flow, stopping = Flow(house, supervisor, log), threading.Event()
        threads = [
            threading.Thread(target=supervisor.run),
            threading.Thread(target=_publish, args=(flow, stopping)),
        ]
        for thread in threads:
            thread.start()
        try:
            flow.wait_for_commits()
            yield flow
            stopping.set()
            joined(threads[1], "the producer")
            house.wait_until_through()
        finally:
            stopping.set()
            supervisor.stop()
            for thread in threads:
                joined(thread, "the supervisor and the producer")
    assert [slot.restarts for slot in supervisor.slots] == [0] * workers
    assert (flow.acknowledged, flow.unacknowledged) == (flow.sent, [])
    everything_came_out_once(house, flow.sent)


def _publish(flow: Flow, stopping: threading.Event) -> None:
    house, numbers = flow.house, count()
    producer = RawProducer(house.cluster, house.contract, close_s=_CLOSE_S)
    while not stopping.wait(_PAUSE_S):
        for number in (next(numbers) for _ in range(_BURST)):
            # The last ten numbers are out of bounds.
            value = house.ping(number % 4_011)
            producer.send_encoded(f"{house.source}.ping", value, key=b"synthetic-device-%d" % (number % 7))
            flow.sent += 1
    report = producer.close(_CLOSE_S)
    flow.acknowledged = report.acknowledged
    flow.unacknowledged = sorted({lost.error for lost in report.unacknowledged})
