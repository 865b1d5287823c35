"""Where recovery is measured: one source of a contract on a broker, a trickle of its events, and workers to be killed.

The trickle reaches every raw partition all the time, so that a partition that nobody serves can be told from one with
nothing to do. Workers obey orders (`tests/faults/worker.py`) and are the relay's own otherwise.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from pipelines.broker import Cluster, TopicPartition
from pipelines.contract import load
from pipelines.contract.model import DAY_MS, Contract
from pipelines.keys import Keyring, LocalKeyEncryption, extend
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.supervisor import Launch
from pipelines.sdk.encoding import encoders
from pipelines.simulate import Simulation
from pipelines.topics.applying import create_missing
from tests.faults.crew import TESTS_LIE_IN
from tests.faults.orders import Desk, TrailReader
from tests.faults.worker import FOLDER
from tests.support.kafka import flushed
from tests.support.waiting import CALL_S, joined, until

SHIPPED: Final = Path(__file__).parents[2]
_KINDS: Final = 40  # different values for each event type
_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Scene:
    """A source on a cluster, and the folder where its workers get their orders and leave their trail."""

    folder: Path
    contract: Contract
    cluster: Cluster
    keyring: Keyring
    settings: WorkerSettings
    output: int

    @property
    def partitions(self) -> list[tuple[str, int]]:
        """The raw partitions of the source."""
        events = self.contract.events_of(self.settings.source)
        return [
            (event.raw_topic, number)
            for event in events
            for number in range(self.contract.raw_topics[event.raw_topic].partitions)
        ]

    @property
    def desk(self) -> Desk:
        """Where orders are left."""
        return Desk(self.folder / "orders")

    def trail(self) -> TrailReader:
        """What the workers do from the beginning on."""
        (self.folder / "trail").touch()
        return TrailReader(self.folder / "trail")

    def launch(self) -> Launch:
        """How a worker that obeys is started."""
        command = (sys.executable, "-m", "tests.faults.worker")
        return Launch(command, {FOLDER: str(self.folder), "PYTHONPATH": TESTS_LIE_IN}, self.output)

    def slot(self, number: int, **changes: Any) -> WorkerSettings:
        """One worker's settings."""
        return replace(self.settings, slot=number, **changes)


def shipped(folder: Path, cluster: Cluster, source: str) -> tuple[Contract, Keyring, WorkerSettings]:
    """The contract that the project ships, with its topics and keys."""
    contract = load(SHIPPED, as_of=datetime.now(UTC).date()).contract
    assert contract is not None
    now_ms = int(time.time() * 1000)
    create_missing(contract, cluster, "tests")
    kek = LocalKeyEncryption.create(folder / "kek")
    purposes = contract.purposes.values()
    extend(folder / "keyring.json", kek, purposes, first_ms=now_ms - 4 * DAY_MS, last_ms=now_ms + DAY_MS)
    settings = WorkerSettings(
        source=source,
        instance="test",
        slot=0,
        contract_dir=SHIPPED,
        bootstrap=cluster.bootstrap,
        keyring=folder / "keyring.json",
        kek_file=folder / "kek",
    )
    return contract, Keyring.open(folder / "keyring.json", kek), settings


@contextmanager
def trickling(scene: Scene) -> Iterator[None]:
    """Publish to every raw partition while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=_trickle, args=(scene, _values(scene), stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        joined(thread, "the trickle")


class Progress:
    """How far each raw partition is committed, without waiting for a transaction that is open."""

    def __init__(self, scene: Scene) -> None:
        # No admin client: its request for a group's offsets ends the process when the coordinator moves.
        self._reader = scene.cluster.consumer(
            **{"group.id": scene.settings.group, "isolation.level": "read_uncommitted"}
        )
        self._partitions = scene.partitions

    def now(self) -> Mapping[tuple[str, int], int]:
        """The committed offset of each partition; negative where there is none yet."""
        asked = [TopicPartition(*key) for key in self._partitions]
        found = self._reader.committed(asked, timeout=CALL_S)
        assert not [each.error for each in found if each.error]
        return {(each.topic, each.partition): each.offset for each in found}

    def wait_until_past(self, before: Mapping[tuple[str, int], int]) -> float:
        """Wait until every partition is committed beyond that; the moment (`time.monotonic`)."""
        return self.wait_until_at({key: offset + 1 for key, offset in before.items()})

    def wait_until_at(self, wanted: Mapping[tuple[str, int], int]) -> float:
        """Wait until every partition is committed up to these offsets; the moment (`time.monotonic`)."""
        seen = dict[tuple[str, int], int]()

        def there() -> bool:
            seen.update(self.now())
            return all(offset >= wanted[key] for key, offset in seen.items())

        until(there, "a commit in every partition", progress=seen.copy)
        return time.monotonic()


def _values(scene: Scene) -> list[tuple[str, int, bytes]]:
    events = {event.name: event for event in scene.contract.events_of(scene.settings.source)}
    encoding = {name: encoders(event) for name, event in events.items()}
    made: dict[str, list[bytes]] = {name: [] for name in events}
    start_ms = int(time.time() * 1000)
    for event in Simulation(scene.contract, only=events).events(_KINDS * len(events), start_ms=start_ms):
        made[event.event].append(encoding[event.event][event.version].encode(event.fields))
    return [
        (event.raw_topic, number, value)
        for name, event in events.items()
        for number in range(scene.contract.raw_topics[event.raw_topic].partitions)
        for value in made[name][:_KINDS]
    ]


def _trickle(scene: Scene, values: list[tuple[str, int, bytes]], stop: threading.Event) -> None:
    producer = scene.cluster.producer(**{"linger.ms": 5})
    by_partition = {key: cycle([value for *place, value in values if tuple(place) == key]) for key in scene.partitions}
    while not stop.wait(_PAUSE_S):
        for (topic, partition), turn in by_partition.items():
            producer.produce(topic, next(turn), partition=partition)
        producer.poll(0)
    flushed(producer)
