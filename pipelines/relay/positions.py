"""Where a raw partition stands: read from the group's committed offsets, and nowhere else."""

from __future__ import annotations

from pipelines.broker import Consumer, KafkaException, TopicPartition
from pipelines.relay.accounting import PartitionBook
from pipelines.relay.station import Station
from pipelines.trouble import Exit, Trouble

# A stable OffsetFetch waits for the transaction of whoever held the partition before, up to its timeout and a sweep.
_COMMITTED_WAIT_S = 60.0
_WATERMARK_WAIT_S = 10.0


def read_books(
    station: Station, consumer: Consumer, partitions: list[TopicPartition]
) -> dict[tuple[str, int], PartitionBook]:
    """The committed books of some partitions. One whose offset expired begins at the log's start, with the gap counted.

    Raises:
        KafkaException: they cannot be had.
        Trouble: an offset is not a minimizer's (exit 4).
    """
    books = {}
    for committed in consumer.committed(partitions, timeout=_COMMITTED_WAIT_S) if partitions else ():
        if committed.error is not None:
            raise KafkaException(committed.error)
        station.beat()
        low, high = consumer.get_watermark_offsets(committed, timeout=_WATERMARK_WAIT_S, cached=False)
        books[committed.topic, committed.partition] = _book(station, committed, low, high)
    return books


def _book(station: Station, committed: TopicPartition, low: int, high: int) -> PartitionBook:
    topic, partition, offset, group = committed.topic, committed.partition, committed.offset, station.settings.group
    if offset < 0:
        station.log.info("position.first_start", topic=topic, partition=partition, offset=low)
        return PartitionBook(low)
    try:
        book = PartitionBook.from_metadata(offset, committed.metadata)
    except ValueError as why:
        raise Trouble(
            f"the group {group} has a foreign offset at {topic}/{partition}: {why}",
            hint="Something else commits in this group. Stop it, and set the offsets back to those of a minimizer.",
            exit_code=Exit.REFUSED,
        ) from None
    if offset > high:
        raise Trouble(
            f"the group {group} stands past the end of {topic}/{partition}",
            hint="The topic lost records or was made anew. Delete the group's offsets for it to begin again.",
            exit_code=Exit.REFUSED,
        )
    if offset < low:
        station.log.error("position.gap", topic=topic, partition=partition, offset=low, count=low - offset)
        book.gap_found = low - offset
        book.gap += book.gap_found
        book.next_offset = low
    return book
