"""The time of faults: all actors at once, until the last fault is over and every event is relayed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pipelines.broker import EmbeddedKafka
from pipelines.relay.audit import behind, read_books
from tests.faults.crew import Crew
from tests.faults.deeds import Deeds
from tests.faults.plan import Fault, Plan
from tests.faults.proxy import Proxy
from tests.faults.publishing import Publisher
from tests.faults.report import Done, Outage, recoveries
from tests.faults.scaling import Scaler
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import CALL_S, StalledError

_TRIES: Final = 3
_LONGEST_OUTAGE_PAUSE_S: Final = 1.0
_BETWEEN_OUTAGES_S: Final = 3.0
_THROUGH_S: Final = 3_600.0

Tell = Callable[[str, float], None]


@dataclass(slots=True)
class Progress:
    """How far the workers' faults are; shared by all actors."""

    total: int
    limit_s: float
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    undone: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tick(self, fault: Fault, *, well: bool) -> None:
        """One fault more is over."""
        with self._lock:
            self.done += 1
            if not well:
                self.undone.append(fault)

    def share(self) -> float:
        """From 0 to 1."""
        return self.done / self.total if self.total else 1.0

    def remaining_s(self) -> float:
        """How long the rest takes at the speed so far."""
        elapsed = time.monotonic() - self.began
        each = elapsed / self.done if self.done else 2.0
        return (self.total - self.done) * each

    @property
    def expired(self) -> bool:
        """Whether the run takes longer than it may."""
        return time.monotonic() - self.began > self.limit_s


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What happens to whom.

    Args:
        session_s: after which a member that is silent is put out.
        seed: for how long a broker stays away.
    """

    plan: Plan
    kafka: EmbeddedKafka
    house: RelayFixture
    crew: Crew
    publisher: Publisher
    progress: Progress
    proxy: Proxy | None
    session_s: float
    seed: int


def suffer(ordeal: Ordeal, tell: Tell) -> Done:
    """Run the workers through all faults, and until everything is relayed."""
    plan, crew, publisher, progress = ordeal.plan, ordeal.crew, ordeal.publisher, ordeal.progress
    scaler = Scaler(crew, plan.scalings, progress.share)
    deeds = [Deeds(crew, slot, ordeal.session_s, ordeal.proxy, scaler) for slot in range(crew.workers)]
    outages: list[Outage] = []
    over = threading.Event()

    def abandon() -> None:
        progress.limit_s = 0.0
        crew.witness.abandoned.set()

    crew.start()
    try:
        publisher.start()
        progress.began = time.monotonic()
        with ThreadPoolExecutor() as others, ThreadPoolExecutor(crew.workers) as pool:
            scaling = others.submit(scaler.run, over)
            killing = others.submit(_kill_brokers, ordeal, outages)
            working = [pool.submit(_work_off, deed, plan.slots[deed.slot], progress) for deed in deeds]
            try:
                while not all(future.done() for future in (*working, killing)):
                    tell(f"{progress.done} of {progress.total} faults, {publisher.sent} events", progress.share())
                    for future in (*working, killing, scaling):
                        if future.done():
                            future.result()
                    time.sleep(0.5)
            except BaseException:
                abandon()
                raise
            finally:
                over.set()
            for future in (*working, killing, scaling):
                future.result()
        tell("the rest is published and relayed", 1.0)
        publisher.finish()
        standing = _wait_until_through(ordeal.house)
    finally:
        over.set()
        publisher.abandon()
        crew.stop()
    done = Done.of(deeds, outages, scaler, progress.undone, recoveries(deeds, outages, crew.witness.lines))
    done.behind = standing
    return done


def _wait_until_through(house: RelayFixture) -> int:
    """Wait until a commit covers every raw event; how many are left when no offset is committed any more."""
    with suppress(StalledError):
        house.wait_until_through(limit_s=_THROUGH_S)
    admin = house.cluster.admin(timeout_s=CALL_S)
    return behind(house.contract, admin, read_books(house.contract, admin))


def _work_off(deeds: Deeds, faults: tuple[Fault, ...], progress: Progress) -> None:
    for fault in faults:
        well = False
        for _ in range(_TRIES):
            well = not progress.expired and deeds.do(fault)
            if well:
                break
        progress.tick(fault, well=well)
    deeds.finish()


def _kill_brokers(ordeal: Ordeal, outages: list[Outage]) -> None:
    chance, kafka, progress = random.Random(ordeal.seed + 2), ordeal.kafka, ordeal.progress
    for share, broker in ordeal.plan.brokers:
        while progress.share() < share and not progress.expired:
            time.sleep(0.1)
        began = time.monotonic()
        kafka.kill(broker)
        time.sleep(chance.uniform(0.0, _LONGEST_OUTAGE_PAUSE_S))
        kafka.restart(broker)
        outages.append(Outage(began, time.monotonic()))
        time.sleep(_BETWEEN_OUTAGES_S)
