"""What groups committed, and what open transactions would commit (KIP-98, KIP-447)."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError

from pipelines.broker import Partition
from tests.support.memory_kafka.errors import failure

Offsets = Mapping[Partition, tuple[int, str | None]]
"""What is committed for a partition: the offset, and the text that goes with it."""
MOST_TEXT = 4_095  # bytes: Kafka's offset.metadata.max.bytes, less the NUL that confluent-kafka sends along


class OffsetStore:
    """The committed offsets of all groups. The caller holds the broker's lock."""

    def __init__(self) -> None:
        self._committed: dict[tuple[str, Partition], tuple[int, str | None]] = {}
        self._pending: dict[int, dict[tuple[str, Partition], tuple[int, str | None]]] = {}  # by producer id

    @staticmethod
    def check(offsets: Offsets) -> None:
        """Raise the broker's error when a text is too long to be kept."""
        if any(text is not None and len(text.encode()) > MOST_TEXT for _, text in offsets.values()):
            raise failure(KafkaError.OFFSET_METADATA_TOO_LARGE, requires_abort=True)

    def commit(self, group: str, offsets: Offsets) -> None:
        """Commit at once, outside a transaction."""
        self.check(offsets)
        self._committed.update({(group, partition): kept for partition, kept in offsets.items()})

    def add_pending(self, producer_id: int, group: str, offsets: Offsets) -> None:
        """Keep offsets until the transaction of that producer ends."""
        self.check(offsets)
        pending = self._pending.setdefault(producer_id, {})
        pending.update({(group, partition): kept for partition, kept in offsets.items()})

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """Apply the offsets of a transaction, or drop them."""
        pending = self._pending.pop(producer_id, {})
        if commit:
            self._committed.update(pending)

    def committed(self, group: str, partition: Partition) -> tuple[int, str | None] | None:
        """Return what was committed last, whatever is pending."""
        return self._committed.get((group, partition))

    def is_stable(self, group: str, partition: Partition) -> bool:
        """Return whether no open transaction would change the offset."""
        return all((group, partition) not in pending for pending in self._pending.values())
