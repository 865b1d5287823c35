"""One partition's log: records, the control markers that end transactions, and what each isolation level may read.

Offsets, markers and the last stable offset follow KIP-98.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Headers = list[tuple[str, bytes | None]]


@dataclass(slots=True)
class Record:
    """A record or a control marker in a log. `timestamp` is (its type, milliseconds), as `Message.timestamp` gives."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    timestamp: tuple[int, int]
    is_marker: bool = False
    is_aborted: bool = False


class PartitionLog:
    """An append-only log. The caller holds the broker's lock."""

    def __init__(self) -> None:
        self.start = 0
        self._records: list[Record] = []
        self._open: dict[int, list[Record]] = {}  # producer id -> the records of its open transaction

    @property
    def end(self) -> int:
        """The high watermark: the offset that the next record gets."""
        return len(self._records)

    @property
    def stable_end(self) -> int:
        """The last stable offset: the first offset of the oldest open transaction, or the end."""
        return min((records[0].offset for records in self._open.values()), default=self.end)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp: tuple[int, int],
        producer_id: int | None = None,
    ) -> Record:
        """Append a record; with a producer id it belongs to the open transaction of that producer."""
        record = Record(self.end, key, value, headers, timestamp)
        self._records.append(record)
        if producer_id is not None:
            self._open.setdefault(producer_id, []).append(record)
        return record

    def end_transaction(self, producer_id: int, timestamp: tuple[int, int], *, commit: bool) -> None:
        """Write the marker that commits or aborts a producer's open transaction. The marker takes an offset."""
        for record in self._open.pop(producer_id, ()):
            record.is_aborted = not commit
        self._records.append(Record(self.end, None, None, None, timestamp, is_marker=True))

    def limit(self, *, committed: bool) -> int:
        """Return the offset before which a consumer of that isolation level may read."""
        return self.stable_end if committed else self.end

    def visible(self, offset: int, *, committed: bool) -> Iterator[Record]:
        """Return the records from an offset on that a consumer of that isolation level receives."""
        for index in range(offset, self.limit(committed=committed)):
            record = self._records[index]
            if not record.is_marker and not (committed and record.is_aborted):
                yield record

    def at_time(self, timestamp_ms: int) -> Record | None:
        """Return the first record that is not older, aborted records and markers included, or None."""
        later = (record for record in self._records[self.start :] if record.timestamp[1] >= timestamp_ms)
        return next(later, None)

    def delete_before(self, offset: int) -> None:
        """Move the log start; -1 is the end. Deleted records keep their offsets."""
        self.start = max(self.start, self.end if offset < 0 else offset)
