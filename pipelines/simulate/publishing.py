"""Simulated events on their way into Kafka, through the products' own producer and at a rate. Owns the pace only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pipelines.simulate.simulation import SimulatedEvent

_CHUNK = 200


class Producer(Protocol):
    """What is needed of `pipelines.sdk.RawProducer`."""

    def send(self, event: str, fields: Mapping[str, Any], *, version: int | None = None) -> None:
        """Encode and publish one event."""

    def send_encoded(self, event: str, value: bytes, *, key: bytes) -> None:
        """Publish bytes as they are."""


def publish(
    events: Iterable[SimulatedEvent],
    producer: Producer,
    *,
    rate: float | None = None,
    tell: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[str]:
    """Hand every event to the producer, at most `rate` a second on average, and count them by event type.

    Blocks as the producer does. `tell` hears how many have been handed over, now and then. What was acknowledged, only
    the producer's flush says.
    """
    sent: Counter[str] = Counter()
    began = clock()
    every = _CHUNK if rate is None else max(1, min(_CHUNK, int(rate / 10)))
    for number, event in enumerate(events, 1):
        if event.value is None:
            producer.send(event.event, event.fields, version=event.version)
        else:
            producer.send_encoded(event.event, event.value, key=event.device.encode())
        sent[event.event] += 1
        if number % every == 0:
            tell(number)
            early = 0.0 if rate is None else began + number / rate - clock()
            if early > 0:
                sleep(early)
    return sent
