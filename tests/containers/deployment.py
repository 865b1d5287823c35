"""A deployment of docker-compose.yml under test: what was sent into it, and what it left behind."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pipelines.broker import Admin, Cluster
from pipelines.contract.model import Contract
from pipelines.demo.checks import Check, judge
from pipelines.demo.evidence import Sent
from pipelines.demo.play import Watcher
from pipelines.demo.run import Left, gathered
from pipelines.keys import Keyring, open_keyring
from pipelines.relay.audit import behind, read_books
from pipelines.relay.books import Books
from pipelines.simulate import Simulation
from tests.support.container_engine import ROOT, Compose, docker, health, inspected, logged, python
from tests.support.through import wait_until_through
from tests.support.waiting import CALL_S, LIMIT_S, until

DEVICES = 200
FILES = (ROOT / "docker-compose.yml", ROOT / "tests/containers/compose.test.yml")
_SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
_READ = "import base64, pathlib, sys; print(base64.b64encode(pathlib.Path(sys.argv[1]).read_bytes()).decode())"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running project. `told` is what the simulators said that they sent."""

    compose: Compose
    contract: Contract
    cluster: Cluster
    folder: Path
    told: list[dict[str, Any]] = field(default_factory=list)

    def admin(self) -> Admin:
        return self.cluster.admin(timeout_s=CALL_S)

    def books(self) -> Books:
        return read_books(self.contract, self.admin())

    def minimizers(self) -> list[str]:
        """The containers of all minimizer services."""
        return [one for source in self.contract.sources for one in self.compose.containers(f"minimizer-{source}")]

    def wait_until_healthy(self) -> None:
        for container in self.minimizers():
            until(
                lambda one=container: health(one) == "healthy",
                f"a healthy {container}",
                progress=lambda one=container: len(logged(one)),
            )

    def simulate(self, seed: int, count: int, rate: int, *only: str) -> str:
        """Start the simulator in a container of its own; the container."""
        started = self.compose(
            *("run", "-d", "--no-deps", "simulator", "simulate", "--json", "--count", str(count), "--rate", str(rate)),
            *("--seed", str(seed), "--devices", str(DEVICES), "--faults", "0.01"),
            *(word for event in only for word in ("--event", event)),
        )
        return started.split()[-1]

    def simulated(self, simulator: str) -> int:
        """Wait for a simulator's end, note what it sent, and take it away; how many events."""
        assert docker("wait", simulator, seconds=LIMIT_S) == "0", logged(simulator).decode()
        told = orjson.loads(docker("logs", simulator))
        docker("rm", simulator)  # which `down` of Compose 2 leaves to whoever ran it
        assert told["unacknowledged"] == {}
        self.told.append(told)
        return int(told["acknowledged"])

    def behind(self) -> int:
        """How many raw events no commit covers yet."""
        return behind(self.contract, self.admin(), self.books())

    def published(self, service: str, port: int) -> str:
        """HOST:PORT at which a service's port is to be had here."""
        return self.compose("port", service, str(port)).strip()

    def events_in(self, source: str) -> int:
        """How many raw events of a source are committed."""
        return sum(book.events_in for (topic, _), book in self.books().items() if topic.startswith(f"raw.{source}."))

    def wait_until_through(self) -> Books:
        """Wait until a commit covers every raw event; the books then."""
        wait_until_through(self.contract, self.admin())
        return self.books()

    def sent(self) -> Sent:
        """What went in so far, by what the simulators said; and a device of theirs."""
        faults = Counter[str]()
        for told in self.told:
            faults.update({f"raw.{event}": count for event, count in told["faulty_events"].items()})
        watcher = Watcher(self.contract)
        for _ in watcher.watch(
            Simulation(self.contract, seed=1, devices=DEVICES).events(2_000, start_ms=time.time_ns() // 1_000_000)
        ):
            pass
        return Sent(
            acknowledged=sum(told["acknowledged"] for told in self.told),
            faults=faults,
            canaries=max(told["canaries"] for told in self.told),  # they are numbered, in each from 0 on
            device=watcher.device,
        )

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

    def judged(self) -> list[Check]:
        """The demo's checks of everything that went in and came out so far."""
        logs = []
        for container in self.compose.containers():
            logs.append(self.folder / f"{container}.log")
            logs[-1].write_bytes(logged(container))
        left = Left(self.contract, self.cluster, self.keyring())
        workers = sorted({line["worker"] for one in self.minimizers() for line in said(one, "worker.started")})
        scraped = self.scrape()
        return judge(gathered(left, self.sent(), self.books(), workers=workers, logs=logs, scraped=scraped))


def said(container: str, event: str) -> list[dict[str, object]]:
    """The log lines of an event."""
    lines = (orjson.loads(line) for line in logged(container).splitlines())
    return [line for line in lines if line["event"] == event]


@contextmanager
def deployed(compose: Compose, contract: Contract, bootstrap: str, folder: Path) -> Iterator[Deployment]:
    """Bring the project up, and a Prometheus; on leaving, all of it goes away."""
    try:
        compose("up", "-d", seconds=LIMIT_S)
        compose("up", "-d", "prometheus")
        yield Deployment(compose, contract, Cluster(bootstrap), folder)
    finally:
        compose("--profile", "monitoring", "down", "-v", "--remove-orphans")


def slot_of(container: str) -> str:
    """The slot that a minimizer's container runs, by its host name."""
    config = inspected(container)["Config"]
    return f"minimizer.{config['Cmd'][1]}.{config['Hostname']}.0"
