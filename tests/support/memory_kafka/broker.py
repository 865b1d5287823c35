"""The broker: topics, groups, offsets and transactions under one lock, and a clock that tests can move."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError

from pipelines.broker import Partition
from tests.support.memory_kafka.errors import failure
from tests.support.memory_kafka.groups import Group
from tests.support.memory_kafka.log import PartitionLog
from tests.support.memory_kafka.offsets import OffsetStore
from tests.support.memory_kafka.topics import Topic
from tests.support.memory_kafka.transactions import TransactionCoordinator


class Broker:
    """All that clients share. Safe to use from several threads.

    Args:
        clock: seconds since 1970. Timestamps, session timeouts and transaction timeouts follow it; how long a client's
            call waits does not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ahead_s = 0.0
        self._changed = threading.Condition(threading.RLock())
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.offsets = OffsetStore()
        self.transactions = TransactionCoordinator(self.now, self._end_transaction)

    def now(self) -> float:
        """Return the broker's time: seconds since 1970."""
        return self._clock() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Move the broker's clock on, and let everybody who waits see it."""
        with self.request():
            self._ahead_s += seconds
            self._expire()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold the lock for one request, which may change something; whatever is overdue comes first."""
        with self._changed:
            self._expire()
            yield
            self._changed.notify_all()

    @contextmanager
    def waiting(self) -> Iterator[Callable[[float], None]]:
        """Hold the lock for a request that may have to wait.

        Gives a function that waits for at most so many seconds, until something changes or becomes overdue.
        """
        with self._changed:
            self._expire()
            yield self._wait

    def log(self, partition: Partition) -> PartitionLog:
        """Return a partition's log.

        Raises:
            KafkaException: there is no such topic or partition.
        """
        topic, number = partition
        if topic not in self.topics or not 0 <= number < len(self.topics[topic].partitions):
            raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
        return self.topics[topic].partitions[number]

    def group(self, name: str) -> Group:
        """Return a group, which begins empty."""
        return self.groups.setdefault(name, Group(self.now, self._partitions_of))

    def create_topic(self, name: str, partitions: int, settings: Mapping[str, str]) -> None:
        """Create a topic.

        Raises:
            KafkaException: TOPIC_ALREADY_EXISTS.
        """
        if name in self.topics:
            raise failure(KafkaError.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        self.topics[name] = Topic(name, [PartitionLog() for _ in range(partitions)], dict(settings))

    def _partitions_of(self, topic: str) -> int:
        return len(self.topics[topic].partitions) if topic in self.topics else 0

    def _end_transaction(self, producer_id: int, partitions: set[Partition], commit: bool) -> None:
        marked = TIMESTAMP_CREATE_TIME, int(self.now() * 1000)
        for partition in partitions:
            self.log(partition).end_transaction(producer_id, marked, commit=commit)
        self.offsets.end_transaction(producer_id, commit=commit)

    def _wait(self, seconds: float) -> None:
        deadlines = [*self.transactions.deadlines()]
        for group in self.groups.values():
            deadlines.extend(group.deadlines())
        until_overdue_s = min(deadlines, default=float("inf")) - self.now()
        self._changed.wait(max(0.0, min(seconds, until_overdue_s, threading.TIMEOUT_MAX)))
        self._expire()

    def _expire(self) -> None:
        self.transactions.expire()
        for group in self.groups.values():
            group.expire()
