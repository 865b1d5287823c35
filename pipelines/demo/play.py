"""The play: synthetic traffic goes in, and the workers take it through. Watches the books, touches no record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipelines.contract.model import DAY_MS, Contract
from pipelines.demo.evidence import Sent
from pipelines.demo.stage import Stage
from pipelines.relay.audit import behind, read_books
from pipelines.relay.books import Books
from pipelines.sdk import RawProducer
from pipelines.simulate import SimulatedEvent, Simulation
from pipelines.simulate.publishing import publish
from pipelines.trouble import Trouble

_LOOK_EVERY_S = 0.25
_PATIENCE_S = 60.0


@dataclass(slots=True)
class Watcher:
    """Notes, of the events on their way into Kafka, the faults by raw topic and which purposes a device reaches."""

    contract: Contract
    faults: Counter[str] = field(default_factory=Counter)
    _reached: dict[str, set[str]] = field(default_factory=dict)
    _busy: Counter[str] = field(default_factory=Counter)

    def watch(self, events: Iterator[SimulatedEvent]) -> Iterator[SimulatedEvent]:
        """Hand the events on."""
        purposes = {
            event.name: {
                view.purpose for view in event.views if self.contract.purposes[view.purpose].handle == "device"
            }
            for event in self.contract.events.values()
        }
        for event in events:
            if event.fault is not None:
                self.faults[self.contract.events[event.event].raw_topic] += 1
            else:
                self._reached.setdefault(event.device, set()).update(purposes[event.event])
                self._busy[event.device] += 1
            yield event

    @property
    def device(self) -> bytes:
        """The device whose events reach the most purposes, the busiest of those; empty when there was no event."""
        best = max(self._reached, key=lambda one: (len(self._reached[one]), self._busy[one]), default="")
        return best.encode()


def send(stage: Stage, simulation: Simulation, count: int, now_ms: int, show: Callable[[int], None]) -> Sent:
    """Publish `count` events of the last day, as fast as the broker takes them."""
    watcher = Watcher(stage.contract)
    with RawProducer(stage.cluster, stage.contract) as producer:
        publish(watcher.watch(simulation.events(count, start_ms=now_ms - DAY_MS)), producer, tell=show)
        report = producer.flush(_PATIENCE_S)
    show(count)
    return Sent(
        report.acknowledged,
        len(report.unacknowledged),
        dict(watcher.faults),
        simulation.canaries_issued,
        watcher.device,
    )


def wait_until_through(stage: Stage, show: Callable[[Books, int], None]) -> Books:
    """Wait until a commit covers every raw record; the books then.

    Raises:
        Trouble: nothing moves for a minute (exit 3).
    """
    admin = stage.cluster.admin()
    last, moved_at = -1, time.monotonic()
    while True:
        books = read_books(stage.contract, admin)
        left = behind(stage.contract, admin, books)
        show(books, left)
        if left == 0:
            return books
        if left != last:
            last, moved_at = left, time.monotonic()
        if time.monotonic() - moved_at > _PATIENCE_S:
            raise Trouble(
                f"the workers stand still, {left:,} events short of the end",
                hint=f"Run it again with --keep, then look into {stage.worker_log}.",
            )
        time.sleep(_LOOK_EVERY_S)
