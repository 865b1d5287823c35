"""Where a raw partition stands: read from the group's committed offsets, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipelines.broker import Consumer, KafkaError, KafkaException, TopicPartition
from pipelines.relay.accounting import from_metadata, keyring_mark
from pipelines.relay.books import Books, PartitionBook
from pipelines.relay.former import fence, others
from pipelines.relay.hanging import hangs
from pipelines.relay.one_keyring import refuse_another
from pipelines.relay.station import Station
from pipelines.trouble import Exit, Trouble

# Not for long, before that transaction is ended: who held the partition is not its owner any more.
_FENCED_AFTER_S = 0.5
_LEAST_S = 0.1


def read_books(
    station: Station, consumer: Consumer, partitions: list[TopicPartition]
) -> dict[tuple[str, int], PartitionBook]:
    """The committed books of some partitions. One whose offset expired begins at the log's start, with the gap counted.

    Raises:
        KafkaException: they cannot be had.
        Trouble: an offset is not a minimizer's, or was committed with another keyring (exit 4).
    """
    books: Books = {}
    for committed in _stable(station, consumer, partitions) if partitions else ():
        if committed.error is not None:
            raise KafkaException(committed.error)
        station.beat()
        wait_s = station.settings.limits.watermark_s
        low, high = consumer.get_watermark_offsets(committed, timeout=wait_s, cached=False)
        book = books[committed.topic, committed.partition] = _book(station, committed, low, high)
        book.end_found = high
    return books


class Reached:
    """How far each partition was committed, as far as this process knows. It never goes back while a process lives.

    Nobody may set the offsets of a group back that has members. But a coordinator that answers before it has read its
    log to the end tells offsets of long ago (decision 0064), and to go on from there would be to relay twice.
    """

    def __init__(self, station: Station, now: Callable[[], float] = time.monotonic) -> None:
        self._station = station
        self._now = now
        self._to: dict[tuple[str, int], int] = {}
        self._doubted_since: float | None = None

    def advance(self, books: Books) -> None:
        """These are committed."""
        self._to.update((place, book.next_offset) for place, book in books.items())

    def believes(self, books: Books) -> bool:
        """Whether books may be what is committed; if not, ask again.

        Raises:
            Trouble: that has been so for a minute (exit 4).
        """
        behind = [place for place, book in books.items() if book.next_offset < self._to.get(place, 0)]
        if not behind:
            self._doubted_since = None
            self.advance(books)
            return True
        now = self._now()
        self._doubted_since = now if self._doubted_since is None else self._doubted_since
        for topic, partition in behind:
            self._station.log.error("position.behind", topic=topic, partition=partition)
        if now - self._doubted_since > self._station.settings.limits.behind_s:
            raise Trouble(
                f"the group {self._station.settings.group} stands behind what it had committed",
                hint="The brokers lost commits, or somebody set offsets back. What follows may be relayed twice.",
                exit_code=Exit.REFUSED,
            )
        return False


def _stable(station: Station, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    found = _committed_within(_FENCED_AFTER_S, consumer, partitions)
    if found is not None:
        return found
    asked = time.monotonic()
    places = others(station, partitions)
    if places:
        # A slow network or coordinator holds up every answer, and nobody is gone. So the stable offsets get as long
        # as a new client just needed for the others: it connects first, which takes several times as long.
        found = _committed_within(max(_FENCED_AFTER_S, time.monotonic() - asked), consumer, partitions)
        if found is not None:
            return found
        fence(station, places)
    found = _committed_within(station.settings.limits.committed_s, consumer, partitions)
    if found is None:
        station.beat()
        _refuse_if_they_hang(station, partitions)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - as below
    return found


def _refuse_if_they_hang(station: Station, partitions: list[TopicPartition]) -> None:
    """Every transaction's time is over. Where the coordinator answers, what it waits for will not come."""
    if others(station, partitions) is None:
        return
    station.log.error("offsets.hang", topic=", ".join(sorted({each.topic for each in partitions})))
    raise hangs(f"the offsets of the group {station.settings.group}")


def _committed_within(
    seconds: float, consumer: Consumer, partitions: list[TopicPartition]
) -> list[TopicPartition] | None:
    """Return the stable offsets; None when no answer has come in so many seconds, and never before.

    A request times out early with an older one on its connection, such as a heartbeat to a coordinator that was
    stopped. Nobody knows then whether a transaction is open, so it is asked again.
    """
    deadline = time.monotonic() + seconds
    while True:
        left_s = deadline - time.monotonic()
        try:
            return consumer.committed(partitions, timeout=max(left_s, _LEAST_S))
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError._TIMED_OUT:  # noqa: SLF001 - librdkafka's local codes are spelled so
                raise
        if time.monotonic() + _LEAST_S > deadline:
            return None
        time.sleep(_LEAST_S)


def _book(station: Station, committed: TopicPartition, low: int, high: int) -> PartitionBook:
    topic, partition, offset, group = committed.topic, committed.partition, committed.offset, station.settings.group
    if offset < 0:
        station.log.info("position.first_start", topic=topic, partition=partition, offset=low)
        return PartitionBook(low)
    try:
        book = from_metadata(offset, committed.metadata)
    except ValueError as why:
        raise Trouble(
            f"the group {group} has a foreign offset at {topic}/{partition}: {why}",
            hint="Something else commits in this group. Stop it, and set the offsets back to those of a minimizer.",
            exit_code=Exit.REFUSED,
        ) from None
    mark = keyring_mark(committed.metadata)
    refuse_another({(topic, partition): mark}, station.keyring, station.settings.replaces_keyring)
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
