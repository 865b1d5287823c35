"""`MemoryCluster`: a `pipelines.broker.Cluster` whose clients talk to an in-memory broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipelines.broker import Cluster
from pipelines.broker.asking import ROUNDS, Asking
from pipelines.broker.cluster import _CONSUMER, _PRODUCER
from tests.support.memory_kafka.admin_client import MemoryAdminClient
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.consumer import MemoryConsumer
from tests.support.memory_kafka.producer import MemoryProducer
from tests.support.memory_kafka.transactional import TransactionalProducer


@dataclass(frozen=True)
class MemoryCluster(Cluster):
    """A Kafka in this process. Administration is the product's own, over a client for the in-memory broker.

    Args:
        clock: seconds since 1970; see `Broker`.
    """

    bootstrap: str = "memory:0"
    clock: Callable[[], float] = time.time
    broker: Broker = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "broker", Broker(self.clock))

    def producer(self, **overrides: Any) -> Any:
        """As `Cluster.producer`."""
        settings = {**_PRODUCER, **self.properties, **overrides}
        make = TransactionalProducer if "transactional.id" in settings else MemoryProducer
        return make(self.broker, settings)

    def consumer(self, **overrides: Any) -> Any:
        """As `Cluster.consumer`."""
        return MemoryConsumer(self.broker, {**_CONSUMER, **self.properties, **overrides})

    def admin_client(self) -> MemoryAdminClient:
        """Return a client in place of confluent_kafka's `AdminClient`, for what the product's `Admin` cannot do."""
        return MemoryAdminClient(self.broker)

    def advance(self, seconds: float) -> None:
        """Move the broker's clock on: sessions and transactions may end by it."""
        self.broker.advance(seconds)

    def _asking(self, timeout_s: float, rounds: int = ROUNDS) -> Asking:
        client: Any = self.admin_client()
        return Asking(client, self.bootstrap, timeout_s, rounds)
