"""Clusters that stand between a worker and the real one, and make a mistake that a careless maintainer could make.

`Altered` alone changes nothing: it is what the faithful relay runs on in the same scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pipelines.broker import Cluster, Consumer, KafkaError, KafkaException, TopicPartition


@dataclass
class Altered:
    """The real cluster, with settings of the scenario for its consumers."""

    real: Cluster
    of_consumers: Mapping[str, Any] = field(default_factory=dict)
    consumers: list[Consumer] = field(default_factory=list)

    def consumer(self, **settings: Any) -> Consumer:
        self.consumers.append(self.real.consumer(**{**settings, **self.of_consumers}))
        return self.consumers[-1]

    def producer(self, **settings: Any) -> Any:
        return self.real.producer(**settings)

    def admin(self, **limits: Any) -> Any:
        return self.real.admin(**limits)


@dataclass
class Passing:
    """A producer that passes every call on."""

    real: Any
    consumers: list[Consumer]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class OffsetsBefore(Altered):
    """The consumer commits the offsets, before the transaction does."""

    def producer(self, **settings: Any) -> Any:
        return _CommittingFirst(self.real.producer(**settings), self.consumers)


class _CommittingFirst(Passing):
    def send_offsets_to_transaction(self, offsets: list[TopicPartition], *_: object) -> None:
        self.consumers[-1].commit(offsets=offsets, asynchronous=False)


class OffsetsAfter(Altered):
    """The consumer commits the offsets, when the next transaction begins."""

    def producer(self, **settings: Any) -> Any:
        return _CommittingLast(self.real.producer(**settings), self.consumers)


class _CommittingLast(Passing):
    _owed: list[TopicPartition] | None = None

    def begin_transaction(self) -> None:
        if self._owed is not None:
            self.consumers[-1].commit(offsets=self._owed, asynchronous=False)
        self.real.begin_transaction()

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], *_: object) -> None:
        self._owed = offsets


class InNobodysName(Altered):
    """Offsets are sent with the metadata of a consumer that is no member, which the broker does not check."""

    group = ""

    def consumer(self, **settings: Any) -> Consumer:
        self.group = settings["group.id"]
        return super().consumer(**settings)

    def producer(self, **settings: Any) -> Any:
        return _Nameless(self.real.producer(**settings), self.consumers, self)


@dataclass
class _Nameless(Passing):
    cluster: InNobodysName

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], _membership: object, *_: object) -> None:
        stranger = self.cluster.real.consumer(**{"group.id": self.cluster.group})
        self.real.send_offsets_to_transaction(offsets, stranger.consumer_group_metadata(), 5.0)
        stranger.close()


class Earliest(Altered):
    """Where there is nothing to read any more, reading goes on at the earliest record."""

    def consumer(self, **settings: Any) -> Consumer:
        return super().consumer(**{**settings, "auto.offset.reset": "earliest"})


class RandomIds(Altered):
    """Every producer has a transactional id of its own, so that nobody fences anybody's."""

    def producer(self, **settings: Any) -> Any:
        return self.real.producer(**{**settings, "transactional.id": uuid4().hex})


class NotesOutside(Altered):
    """Quarantine notes are no part of the transaction."""

    def producer(self, **settings: Any) -> Any:
        return _NotingAtOnce(self.real.producer(**settings), self.consumers, self.real.producer())


@dataclass
class _NotingAtOnce(Passing):
    notes: Any

    def produce(self, topic: str, *record: Any, **more: Any) -> None:
        (self.notes if topic.startswith("quarantine") else self.real).produce(topic, *record, **more)

    def flush(self, timeout: float) -> int:
        return int(self.notes.flush(timeout)) + int(self.real.flush(timeout))


class NeverAborting(Altered):
    """What a failed batch sent stays in the transaction, and the next batch goes on with it."""

    def producer(self, **settings: Any) -> Any:
        return _GoingOn(self.real.producer(**settings), self.consumers)


class _GoingOn(Passing):
    _open = False

    def begin_transaction(self) -> None:
        if not self._open:
            self.real.begin_transaction()
        self._open = True

    def commit_transaction(self, timeout: float) -> None:
        self.real.commit_transaction(timeout)
        self._open = False

    def abort_transaction(self, timeout: float) -> None:
        """Nothing."""


class AnswerLost(Altered):
    """No mistake, a fault: the first commit is done, and its answer is a time-out."""

    lost = False

    def producer(self, **settings: Any) -> Any:
        return _Deaf(self.real.producer(**settings), self.consumers, self)


@dataclass
class _Deaf(Passing):
    cluster: AnswerLost

    def commit_transaction(self, timeout: float) -> None:
        self.real.commit_transaction(timeout)
        if not self.cluster.lost:
            self.cluster.lost = True
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
