"""The brokers that tombs stand on, with timings so short that a promise of a day's shape is over in half a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from pipelines.broker import AdminClient, EmbeddedKafka, NewTopic
from pipelines.retention import BrokerTimes
from tests.support.kafka import SHORT_TIMINGS, guarded
from tests.support.waiting import CALL_S, joined
from tests.tombs.digging import look, sweep
from tests.tombs.grave import Grave

RETENTION_MS: Final = 6_000
SEGMENT_MS: Final = 3_000
TIMES: Final = BrokerTimes(
    check_interval_ms=1_000,
    initial_delay_ms=2_000,
    delete_delay_ms=1_000,
    sweep_ms=1_000,
    transaction_timeout_ms=5_000,
    slack_ms=8_000,
)
_SETTINGS: Final = {
    **SHORT_TIMINGS,
    "log.retention.check.interval.ms": str(TIMES.check_interval_ms),
    "log.initial.task.delay.ms": str(TIMES.initial_delay_ms),
    "log.segment.delete.delay.ms": str(TIMES.delete_delay_ms),
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": str(TIMES.sweep_ms),
    "log.index.size.max.bytes": "65536",  # they are made at full size, and every look reads them
}
_LOOK_S: Final = 0.4
_SIZES: Final = {"plain": 1, "mortal": 1, "trio": 3}  # brokers


@dataclass(slots=True)
class Yard:
    """One cluster, and the graves on it. The watching thread looks at its disks while any grave is open."""

    kafka: EmbeddedKafka
    open_graves: list[Grave] = field(default_factory=list)
    being_killed: threading.Lock = field(default_factory=threading.Lock)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def dig(self, grave: Grave) -> None:
        """Watch for a grave's canary from now on."""
        with self.lock:
            self.open_graves.append(grave)

    def make_topic(self, name: str, **configs: str) -> str:
        """A topic of one partition, as a promise with these timings would have it. Underscores stand for dots."""
        settings = {
            "cleanup.policy": "delete",
            "message.timestamp.type": "CreateTime",
            "message.timestamp.after.max.ms": str(TIMES.slack_ms),
            "retention.ms": str(RETENTION_MS),
            "segment.ms": str(SEGMENT_MS),
            "segment.jitter.ms": "0",
            "file.delete.delay.ms": str(TIMES.delete_delay_ms),
            "compression.type": "uncompressed",
            **{key.replace("_", "."): value for key, value in configs.items()},
        }
        admin = self.kafka.cluster.admin(timeout_s=CALL_S)
        assert admin.create([NewTopic(name, 1, self.kafka.brokers, settings)]) == (name,)
        return name

    def alter(self, topic: str, **configs: str) -> None:
        """Change settings of a topic."""
        client = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        changes = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in configs.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changes)
        for future in client.incremental_alter_configs([resource]).values():
            future.result(CALL_S)

    def give_up(self, fault: str) -> None:
        """Say of every open grave that it cannot be watched."""
        with self.lock:
            for grave in self.open_graves:
                if not grave.done.is_set():
                    grave.fault = fault
                    grave.done.set()

    def look(self) -> None:
        """One look at each open grave's topic, and at all there is for those that seem to be gone."""
        with self.lock:
            graves = [grave for grave in self.open_graves if not grave.done.is_set()]
            self.open_graves = graves
        if not graves:
            return
        for grave in graves:
            self.look_at(grave)
        suspected = [grave for grave in graves if grave.seems_gone]
        if suspected:
            pids = [pid for pid in self.kafka.pids().values() if pid is not None]
            seen = sweep(self.kafka.folder, pids, {grave.canary for grave in suspected})
            for grave in suspected:
                grave.saw(seen.found[grave.canary], complete=seen.complete, everywhere=True)

    def look_at(self, grave: Grave) -> None:
        """Look into the folders of one grave's topic."""
        seen = look(self.kafka.folder, grave.topic, {grave.canary})
        grave.saw(seen.found[grave.canary], complete=seen.complete, everywhere=False)


@dataclass(frozen=True, slots=True)
class Yards:
    """`plain` runs on, `mortal` is killed, `trio` has three brokers."""

    plain: Yard
    mortal: Yard
    trio: Yard

    def abandon(self) -> None:
        """Wait for no grave any longer."""
        for yard in (self.plain, self.mortal, self.trio):
            yard.give_up("abandoned")


@contextmanager
def yards(folder: Path, wanted: Collection[str] = tuple(_SIZES)) -> Iterator[Yards]:
    """Start those that are wanted, and watch them; stop them in the end."""
    with ExitStack() as stack:
        made = {}
        for name, brokers in _SIZES.items():
            kafka = EmbeddedKafka(folder / name, brokers, _SETTINGS)
            made[name] = Yard(kafka)
            if name in wanted:
                stack.enter_context(guarded(kafka))
        starting = [threading.Thread(target=made[name].kafka.start) for name in wanted]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        stack.enter_context(_watching(list(made.values())))
        yield Yards(**made)
        for yard in made.values():
            for node_id in yard.kafka.pids():
                yard.kafka.kill(node_id)  # nothing there is needed any more, and a farewell takes long


@contextmanager
def _watching(all_yards: list[Yard]) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            for yard in all_yards:
                try:
                    yard.look()
                except Exception as fault:  # noqa: BLE001 - nobody would ever be told that a grave is done
                    yard.give_up(f"{type(fault).__name__}: {fault}")

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        joined(thread, "the watch")


def now_ms() -> int:
    """The clock of this machine, which is the brokers', too."""
    return int(time.time() * 1000)
