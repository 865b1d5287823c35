"""The play: synthetic traffic goes in, and the workers take it through. Watches the books, touches no record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.contract.model import DAY_MS
from pipelines.demo.stage import Stage
from pipelines.relay.accounting import Books
from pipelines.relay.audit import behind, read_books
from pipelines.sdk import RawProducer
from pipelines.simulate import SimulatedEvent, Simulation
from pipelines.simulate.publishing import publish
from pipelines.trouble import Trouble

_LOOK_EVERY_S = 0.4
_PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What the producer was told."""

    acknowledged: int
    unacknowledged: int
    device: bytes


Show = Callable[[Books, int], None]


def send(stage: Stage, simulation: Simulation, count: int, now_ms: int, show: Callable[[int], None]) -> Sent:
    """Publish `count` events of the last day, as fast as the broker takes them.

    Returns:
        How many were acknowledged, and the identifier of the busiest device.
    """
    seen: Counter[str] = Counter()

    def watched() -> Iterator[SimulatedEvent]:
        for event in simulation.events(count, start_ms=now_ms - DAY_MS):
            seen[event.device] += 1
            yield event

    with RawProducer(stage.cluster, stage.contract) as producer:
        publish(watched(), producer, tell=show)
        report = producer.flush(_PATIENCE_S)
    show(count)
    return Sent(report.acknowledged, len(report.unacknowledged), seen.most_common(1)[0][0].encode())


def wait_until_through(stage: Stage, show: Show) -> Books:
    """Wait until a commit covers every raw record; the books then.

    Raises:
        Trouble: it does not get done (exit 3).
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
                f"the workers stand still, {left:,} events short of the end", hint=f"Their log is {stage.logs}."
            )
        time.sleep(_LOOK_EVERY_S)
