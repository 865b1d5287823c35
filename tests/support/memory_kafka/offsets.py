"""What groups committed, and what open transactions would commit (KIP-98, KIP-447)."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.broker import Committed, Partition

Offsets = Mapping[Partition, Committed]


class OffsetStore:
    """The committed offsets of all groups. The caller holds the broker's lock."""

    def __init__(self) -> None:
        self._committed: dict[tuple[str, Partition], Committed] = {}
        self._pending: dict[int, dict[tuple[str, Partition], Committed]] = {}  # by producer id

    def commit(self, group: str, offsets: Offsets) -> None:
        """Commit at once, outside a transaction."""
        self._committed.update({(group, partition): committed for partition, committed in offsets.items()})

    def add_pending(self, producer_id: int, group: str, offsets: Offsets) -> None:
        """Keep offsets until the transaction of that producer ends."""
        pending = self._pending.setdefault(producer_id, {})
        pending.update({(group, partition): committed for partition, committed in offsets.items()})

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """Apply the offsets of a transaction, or drop them."""
        pending = self._pending.pop(producer_id, {})
        if commit:
            self._committed.update(pending)

    def committed(self, group: str, partition: Partition) -> Committed | None:
        """Return what was committed last, whatever is pending."""
        return self._committed.get((group, partition))

    def is_stable(self, group: str, partition: Partition) -> bool:
        """Return whether no open transaction would change the offset."""
        return all((group, partition) not in pending for pending in self._pending.values())
