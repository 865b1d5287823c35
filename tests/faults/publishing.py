"""Raw events for as long as faults happen: so fast that about all are sent when the last fault is done.

Every event is acknowledged by all replicas or counted as refused. Some are malformed, some out of a view's bounds, some
have no device. Values are synthetic and come from a small pool: what tells two events apart is where they stand in raw.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pipelines.broker import KafkaError, Message, Producer
from tests.support.kafka import flushed
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import StalledError

PARTITIONS: Final = 6
_POOL: Final = 4_000
_DEVICES: Final = 360
_TICK_S: Final = 0.05
# So that each partition has something to do at any moment, even when the faults take longer than was thought.
_LEAST_PER_S: Final = 90.0
_MOST_PER_S: Final = 20_000.0
_FIRST_GUESS_S: Final = 2.0  # a fault


def pool(house: RelayFixture, seed: int) -> list[tuple[int, bytes]]:
    """Raw partitions and values: a device's events are all in one partition."""
    chance, values = random.Random(seed), []
    for _ in range(_POOL):
        device, kind = chance.randrange(_DEVICES), chance.random()
        number = chance.randint(4001, 9999) if kind < 0.01 else chance.randint(0, 4000)
        value = house.ping(number, "" if 0.01 <= kind < 0.03 else f"synthetic-device-{device}")
        if 0.03 <= kind < 0.04:
            value = value[: chance.randrange(len(value))]
        values.append((device % PARTITIONS, value))
    return values


class Publisher:
    """Publishes in a thread of its own, from `start` to `finish`.

    Args:
        events: how many at least; more if the faults take longer.
        remaining_s: how long the faults will go on, as far as anybody can tell; 0 when they are done.
    """

    def __init__(self, house: RelayFixture, events: int, remaining_s: Callable[[], float], seed: int) -> None:
        self._values = pool(house, seed)
        self._chance = random.Random(seed + 1)
        self._topic = house.raw_topic
        self._events = events
        self._remaining_s = remaining_s
        self._producer: Producer = house.cluster.producer(**{"linger.ms": 5, "queue.buffering.max.messages": 200_000})
        self._thread = threading.Thread(target=self._run, name="publisher")
        self._over = threading.Event()
        self.sent = 0
        self.acknowledged = 0
        self.refused = 0

    def start(self) -> None:
        """Begin with a backlog."""
        self._thread.start()

    def finish(self) -> None:
        """Send what is left, and wait until all is acknowledged or refused, as long as there is less and less of it."""
        self._over.set()
        self._thread.join()
        with suppress(StalledError):
            flushed(self._producer)
        self.refused += self._producer.flush(0)

    def abandon(self) -> None:
        """Send nothing more, and end."""
        self._events = 0
        self._over.set()

    def _run(self) -> None:
        self._send(min(self._events // 10, 20_000))
        debt = 0.0
        while not self._over.wait(_TICK_S):
            left = max(0, self._events - self.sent)
            rate = left / max(_FIRST_GUESS_S, self._remaining_s())
            debt += min(_MOST_PER_S, max(_LEAST_PER_S, rate)) * _TICK_S
            self._send(int(debt))
            debt -= int(debt)
        self._send(self._events - self.sent)

    def _send(self, count: int) -> None:
        for _ in range(count):
            partition, value = self._chance.choice(self._values)
            while True:
                try:
                    self._producer.produce(self._topic, value, partition=partition, on_delivery=self._told)
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    break
            self.sent += 1
            if self.sent % 1_000 == 0:
                self._producer.poll(0)
        self._producer.poll(0)
        time.sleep(0)

    def _told(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.refused += 1
