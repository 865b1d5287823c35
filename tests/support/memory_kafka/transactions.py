"""The transaction coordinator: producer epochs, fencing, and the end of transactions (KIP-98)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from confluent_kafka import KafkaError

from pipelines.broker import Partition
from tests.support.memory_kafka.errors import failure


@dataclass
class TransactionalId:
    """What the coordinator knows of one transactional id; `began_at` (seconds) is None outside a transaction."""

    producer_id: int
    timeout_s: float
    epoch: int = -1
    began_at: float | None = None
    partitions: set[Partition] = field(default_factory=set)

    @property
    def deadline(self) -> float:
        """When the coordinator aborts the open transaction, in seconds of the broker's clock."""
        return float("inf") if self.began_at is None else self.began_at + self.timeout_s


Ending = Callable[[int, set[Partition], bool], None]


class TransactionCoordinator:
    """All transactional ids of a broker. The caller holds the broker's lock.

    Args:
        now: the broker's clock, in seconds.
        end: writes the end of a transaction: the producer's id, the partitions, and whether to commit.
    """

    def __init__(self, now: Callable[[], float], end: Ending) -> None:
        self._now = now
        self._end = end
        self._ids: dict[str, TransactionalId] = {}
        self._producer_ids = count(1)

    def initialize(self, name: str, timeout_s: float) -> tuple[int, int]:
        """Give a producer the next epoch: older producers are fenced, and an open transaction is aborted.

        Returns:
            The producer's id and epoch.
        """
        if name not in self._ids:
            self._ids[name] = TransactionalId(next(self._producer_ids), timeout_s)
        known = self._ids[name]
        self._finish(known, commit=False)
        known.epoch += 1
        known.timeout_s = timeout_s
        return known.producer_id, known.epoch

    def require_epoch(self, name: str, epoch: int) -> TransactionalId:
        """Return what is known of an id.

        Raises:
            KafkaException: (fatal) a newer producer, or the end of the transaction's time, fenced this producer.
        """
        known = self._ids[name]
        if known.epoch != epoch:
            raise failure(KafkaError._FENCED, fatal=True)
        return known

    def add(self, name: str, epoch: int, partition: Partition | None = None) -> None:
        """Begin the transaction if none is open, and add a partition to it. Raises as `require_epoch` does."""
        known = self.require_epoch(name, epoch)
        known.began_at = self._now() if known.began_at is None else known.began_at
        if partition is not None:
            known.partitions.add(partition)

    def finish(self, name: str, epoch: int, *, commit: bool) -> None:
        """Commit or abort the open transaction, if there is one. Raises as `require_epoch` does."""
        self._finish(self.require_epoch(name, epoch), commit=commit)

    def expire(self) -> None:
        """Abort the transactions whose time is over, and fence their producers."""
        for known in self._ids.values():
            if known.deadline <= self._now():
                self._finish(known, commit=False)
                known.epoch += 1

    def deadlines(self) -> Iterator[float]:
        """Return when `expire` has something to do, in seconds of the broker's clock."""
        return (known.deadline for known in self._ids.values())

    def _finish(self, known: TransactionalId, *, commit: bool) -> None:
        if known.began_at is not None:
            self._end(known.producer_id, known.partitions, commit)
            known.began_at = None
            known.partitions = set()
