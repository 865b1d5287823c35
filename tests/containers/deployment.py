"""A deployment of docker-compose.yml under test: what was sent into it, and what it left behind."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from pipelines.broker import Admin, Cluster
from pipelines.contract.model import DAY_MS, Contract
from pipelines.demo.checks import Check, judge
from pipelines.demo.evidence import Sent
from pipelines.demo.play import Watcher
from pipelines.demo.run import Left, gathered
from pipelines.keys import Keyring, open_keyring
from pipelines.relay.accounting import Books
from pipelines.relay.audit import behind, read_books
from pipelines.simulate import Simulation
from tests.containers.engine import ROOT, Compose, docker, health, inspected, logged, python
from tests.end_to_end.commands import until

DEVICES, FAULTS = 200, 0.01
FILES = (ROOT / "docker-compose.yml", ROOT / "tests/containers/compose.test.yml")
_SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
_READ = "import base64, pathlib, sys; print(base64.b64encode(pathlib.Path(sys.argv[1]).read_bytes()).decode())"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running project. `runs` are the simulations that went in: seed, count and event types (none: all)."""

    compose: Compose
    contract: Contract
    cluster: Cluster
    folder: Path
    runs: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)

    def admin(self) -> Admin:
        return self.cluster.admin(timeout_s=60)

    def books(self) -> Books:
        return read_books(self.contract, self.admin())

    def minimizers(self) -> list[str]:
        """The containers of all minimizer services."""
        return [one for source in self.contract.sources for one in self.compose.containers(f"minimizer-{source}")]

    def wait_until_healthy(self) -> None:
        for container in self.minimizers():
            until(lambda one=container: health(one) == "healthy", f"a healthy {container}", 180)

    def simulate(self, seed: int, count: int, rate: int, *only: str) -> str:
        """Start the simulator in a container of its own; the container."""
        started = self.compose(
            *("run", "-d", "--no-deps", "simulator", "simulate", "--count", str(count), "--rate", str(rate)),
            *("--seed", str(seed), "--devices", str(DEVICES), "--faults", str(FAULTS)),
            *(word for event in only for word in ("--event", event)),
        )
        self.runs.append((seed, count, only))
        return started.split()[-1]

    def behind(self) -> int:
        """How many raw events no commit covers yet."""
        return behind(self.contract, self.admin(), self.books())

    def events_in(self, source: str) -> int:
        """How many raw events of a source are committed."""
        return sum(book.events_in for (topic, _), book in self.books().items() if topic.startswith(f"raw.{source}."))

    def wait_until_through(self) -> Books:
        """Wait until a commit covers every raw event; the books then."""
        until(lambda: self.behind() == 0, "every raw event in a commit", 240)
        return self.books()

    def sent(self, acknowledged: int) -> Sent:
        """What the simulations sent: the same seeds give the same events again."""
        watcher, canaries = Watcher(self.contract), 0
        for seed, count, only in self.runs:
            simulation = Simulation(self.contract, seed=seed, devices=DEVICES, only=only, faults=FAULTS)
            for _ in watcher.watch(simulation.events(count, start_ms=time.time_ns() // 1_000_000 - DAY_MS)):
                pass
            canaries = max(canaries, simulation.canaries_issued)
        return Sent(acknowledged, 0, dict(watcher.faults), canaries, watcher.device)

    def keyring(self) -> Keyring:
        """The keyring and its key, as a minimizer has them mounted."""
        container = self.minimizers()[0]
        for place, name in (("/keys/keyring.json", "keyring.json"), ("/home/pipelines/.pipelines/kek", "kek")):
            told = docker("exec", container, "/opt/pipelines/bin/python", "-c", _READ, place)
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_bytes(base64.b64decode(told))
        return open_keyring(self.folder / "keyring.json", self.folder / "kek")

    def scrape(self) -> list[bytes]:
        """The metrics of every minimizer."""
        return [python(container, _SCRAPE).encode() for container in self.minimizers()]

    def judged(self, acknowledged: int) -> list[Check]:
        """The demo's checks of everything that went in and came out so far."""
        logs = []
        for container in self.compose.containers():
            logs.append(self.folder / f"{container}.log")
            logs[-1].write_bytes(logged(container))
        left = Left(self.contract, self.cluster, self.keyring())
        workers = sorted({line["worker"] for one in self.minimizers() for line in said(one, "worker.started")})
        scraped = self.scrape()
        return judge(gathered(left, self.sent(acknowledged), self.books(), workers=workers, logs=logs, scraped=scraped))


def said(container: str, event: str) -> list[dict[str, object]]:
    """The log lines of an event."""
    lines = (orjson.loads(line) for line in logged(container).splitlines())
    return [line for line in lines if line["event"] == event]


def acknowledged(simulator: str) -> int:
    """Wait for a simulator's end; how many of its events it says were acknowledged (it must have ended well)."""
    assert docker("wait", simulator, seconds=240) == "0", logged(simulator).decode()
    found = re.search(r"([\d,]+) events acknowledged, 0 not", logged(simulator).decode())
    assert found is not None
    return int(found[1].replace(",", ""))


@contextmanager
def deployed(compose: Compose, contract: Contract, bootstrap: str, folder: Path) -> Iterator[Deployment]:
    """Bring the project up; on leaving, all of it goes away."""
    try:
        compose("up", "-d", seconds=300)
        yield Deployment(compose, contract, Cluster(bootstrap), folder)
    finally:
        compose("down", "-v", "--remove-orphans")


def slot_of(container: str) -> str:
    """The slot that a minimizer's container runs, by its host name."""
    config = inspected(container)["Config"]
    return f"minimizer.{config['Cmd'][1]}.{config['Hostname']}.0"
