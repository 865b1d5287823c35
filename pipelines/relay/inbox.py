"""The consumer's side of a worker: the partitions that it holds, where each stands, and the books that stand there.

The committed offset and its metadata are the only truth about a position. They are read when a partition is assigned
and after every failed batch; what the client believes in between is thrown away. Any rebalance rewinds. A partition
whose next batch cannot be read is paused and tried again (`suspects`), and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipelines.broker import KafkaError, KafkaException, Message, TopicPartition
from pipelines.relay.accounting import to_metadata
from pipelines.relay.backlog import Standing
from pipelines.relay.books import Books
from pipelines.relay.limits import BATCH_BYTES, SLICE, bytes_of
from pipelines.relay.membership import ConsumerLostError, Membership
from pipelines.relay.metrics import GAP
from pipelines.relay.positions import Reached, read_books
from pipelines.relay.station import Station
from pipelines.relay.suspects import Place, Span, Suspects
from pipelines.trouble import Trouble

_DENIED = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})


@dataclass(frozen=True, slots=True)
class Polled:
    """Events, offsets that cannot be read, ends that were reached, and in whose name all of them may be committed.

    `ends` are partitions without an event in `events` that were read to their end: between the committed offset and
    that end are only markers of transactions and aborted records.

    `membership` is the group's metadata of this poll and not of the commit: a member that the group has put out
    meanwhile forgets who it was, and offsets that are sent in nobody's name are not checked by the broker (KIP-447).
    """

    events: list[Message]
    unreadable: list[Span]
    ends: Mapping[Place, int]
    membership: object


class Inbox:
    """Reads for one slot, and owns the books of the partitions that it holds.

    Args:
        views: raw topic → the minimized topics of its views.
    """

    def __init__(self, station: Station, views: Mapping[str, Sequence[str]]) -> None:
        self._station = station
        self._settings = station.settings
        self._views = views
        self._log = station.log
        self._membership = Membership(station, list(views), self._read_positions, self._drop)
        self._lost_position = False
        self._pass_at = 0.0
        self._suspects = Suspects(station.cluster, station.log)
        self._reached = Reached(station)
        self._in_hand: list[Message] = []  # the events of the last poll, until they are committed or read again
        self._end_met: dict[Place, int] = {}  # where the client met the end; markers of transactions lie before it
        self._left: dict[Place, Standing] = {}  # where the partitions of a consumer that was replaced stood
        self.books: Books = {}
        self.unsaved: dict[tuple[str, int], int] = {}  # gaps that are in the books here but not yet in a commit

    def open(self) -> None:
        """Join the group. Replaces a consumer that is lost."""
        left = self._left
        with suppress(ConsumerLostError, KafkaException):
            left = self.standings()
        self.close()
        self._left = left
        self._membership.open()

    def close(self) -> None:
        """Leave, without committing anything."""
        self.books, self.unsaved, self._in_hand, self._end_met, self._left = {}, {}, [], {}, {}
        self._suspects.clear_all()
        self._lost_position = False
        self._membership.close()

    def poll(self) -> Polled | None:
        """The next events, if there are any and this worker may commit them; else None, and ask again.

        Raises:
            ConsumerLostError: the consumer must be replaced.
            Trouble: the cluster refuses this worker, or an offset is not a minimizer's.
        """
        try:
            self._retry()
            events = self._gather()
        except KafkaException as failure:
            raise ConsumerLostError(failure.args[0].name()) from None
        unreadable = self._suspects.spans(self._committed, self._settings.batch_events)
        rebalanced, self._membership.rebalanced = self._membership.rebalanced, False
        ends = {} if rebalanced else self._ends(events)
        passes = bool(ends) and time.monotonic() >= self._pass_at
        if not events and not unreadable and not self.unsaved and not self._lost_position and not passes:
            return None
        token = self._membership.token()
        if token is None:
            self._log.warning("batch.failed", reason="not_a_member", events=len(events))
        if token is None or self._lost_position or (rebalanced and events):
            self.rewind()
            return None
        self._in_hand = events
        if ends:
            self._pass_at = time.monotonic() + self._settings.limits.markers_s
        return Polled(events, unreadable, ends, token)

    def offsets(self, books: Books) -> list[TopicPartition]:
        """What a transaction commits: each partition's next offset, with its books."""
        return [
            TopicPartition(
                topic, partition, book.next_offset, to_metadata(book, self._settings.place, self._station.keyring)
            )
            for (topic, partition), book in books.items()
        ]

    def advance(self, books: Books) -> None:
        """Take over the books of a committed batch."""
        self._in_hand = []
        self.books.update(books)
        self._reached.advance(books)
        for partition in self.unsaved.keys() & books.keys():
            GAP.labels(partition[0]).inc(self.unsaved.pop(partition))
        for place in self._suspects.passed(self._committed):
            self._suspects.clear(place)
            self._read_again(place)

    def rewind(self) -> None:
        """Go back to the committed offsets of every partition held.

        Raises:
            ConsumerLostError: the offsets cannot be had or sought.
        """
        consumer = self._membership.consumer
        self._in_hand = []
        self._end_met.clear()  # what was read to the end is read again
        try:
            for position in self._read_positions([TopicPartition(*key) for key in self.books]):
                consumer.seek(position)
        except KafkaException as failure:
            raise ConsumerLostError(failure.args[0].name()) from None
        self._membership.rebalanced = self._lost_position = False

    def standings(self) -> dict[Place, Standing]:
        """Return where each partition stands, as of the last fetch from it.

        Partitions that were taken away stand where they stood until the next assignment says whose they are: their
        events wait.

        Raises:
            ConsumerLostError, KafkaException: the consumer does not answer.
        """
        waiting = {_place(event) for event in self._in_hand}
        return self._left | {place: self._standing(place, waits=place in waiting) for place in self.books}

    def suspects(self) -> frozenset[Place]:
        """Return the partitions whose next batch cannot be read."""
        return frozenset(self._suspects.places)

    def _standing(self, place: Place, *, waits: bool) -> Standing:
        """Return where a partition stands.

        The end that the client met counts only if no event before it `waits` for a commit: what lies between the
        committed offset and the end is then markers of transactions.
        """
        book = self.books[place]
        through = book.next_offset if waits else max(book.next_offset, self._end_met.get(place, 0))
        high = self._high(place)
        return Standing(through, book.end_found if high is None else high, book.newest_ms)

    def _ends(self, events: list[Message]) -> dict[Place, int]:
        """Return the partitions that were read past their committed offset to their end without an event on the way.

        All events of earlier polls are committed or read again by now, so what the client read after the committed
        offset is in `events` or was no event. A partition that is suspect may have been read past a batch that is no
        marker.
        """
        ends = {
            place: end
            for place, end in self._end_met.items()
            if place in self.books and end > self._committed(place) and place not in self._suspects.places
        }
        return {place: ends[place] for place in ends.keys() - map(_place, events)} if ends else ends

    def _gather(self) -> list[Message]:
        """What comes until the batch is full, by events or bytes, or has waited long enough.

        Asked for in slices: a call for all of them could bring so many large events at once that they fill the memory.
        """
        consumer, events, size = self._membership.consumer, list[Message](), 0
        until = time.monotonic() + self._settings.linger_ms / 1000
        while len(events) < self._settings.batch_events and size < BATCH_BYTES:
            most = min(SLICE, self._settings.batch_events - len(events))
            slice_ = consumer.consume(most, max(0.0, until - time.monotonic()))
            for message in slice_:
                error = message.error()
                if error is not None:
                    self._heed(error, _place(message), message.offset() or 0)
                elif not self._suspects.places or self._may_take(_place(message)):
                    events.append(message)
                    size += bytes_of(message)
            if len(slice_) < most:
                break
        return events

    def _may_take(self, place: Place) -> bool:
        """Whether a partition's event may be taken: then it can be read, too."""
        if self._suspects.holds(place):
            return False
        self._suspects.clear(place)
        return True

    def _retry(self) -> None:
        """Read suspect partitions again whose time has come."""
        for place in self._suspects.retry(lambda place: (self._committed(place), self._high(place) or 0)):
            self._read_again(place)

    def _read_again(self, place: Place) -> None:
        position = TopicPartition(*place, self._committed(place))
        self._end_met.pop(place, None)
        self._membership.consumer.resume([position])
        self._membership.consumer.seek(position)

    def _committed(self, place: Place) -> int:
        return self.books[place].next_offset

    def _high(self, place: Place) -> int | None:
        """The partition's high watermark; None when nothing was fetched from it yet."""
        _, high = self._membership.consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        return high if high >= 0 else None

    def _heed(self, error: KafkaError, place: Place, offset: int) -> None:
        """Deal with an error that came in place of an event."""
        # A consumer that met a fatal error says so in an event whose own flag is not set.
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's local codes are spelled so
            raise ConsumerLostError(error.name())
        if error.code() in _DENIED:
            raise Trouble(
                f"the cluster refuses the group {self._settings.group}: {error.name()}",
                hint="Give the worker's principal READ on the raw topics and on the group.",
            )
        if error.code() == KafkaError.INVALID_SESSION_TIMEOUT:
            raise Trouble(
                f"the brokers do not take a session timeout of {self._settings.session_timeout_ms} ms",
                hint="Their group.min.session.timeout.ms and group.max.session.timeout.ms say what they take.",
            )
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
            if not self._suspects.holds(place):  # else its events were left out, and are read again
                self._end_met[place] = offset
        elif place not in self.books or self._suspects.holds(place):
            return  # it comes from before, and says nothing new
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - as above
            self._lost_position = True  # reading it again finds and counts the gap
        elif self._suspects.heed(place, error, offset):
            self._membership.consumer.pause([TopicPartition(*place)])

    def _drop(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            place = (partition.topic, partition.partition)
            if place in self.books and self._settings.protocol == "classic":  # an assignment follows
                with suppress(ConsumerLostError, KafkaException):
                    self._left[place] = self._standing(place, waits=True)
            self.books.pop(place, None)
            self.unsaved.pop(place, None)
            self._end_met.pop(place, None)
            self._suspects.clear(place)

    def _read_positions(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        positions, found = [], read_books(self._station, self._membership.consumer, partitions)
        if not self._reached.believes(found):
            raise ConsumerLostError("offset_behind")
        for (topic, partition), book in found.items():
            place = (topic, partition)
            if book.gap_found:
                self.unsaved[place] = book.gap_found
            else:
                self.unsaved.pop(place, None)
            if place in self.books:
                book.newest_ms = self.books[place].newest_ms
            book.close_views(self._views[topic])
            book.open_views(self._views[topic])
            self.books[place] = book
            positions.append(TopicPartition(topic, partition, book.next_offset))
        self._left = {}
        return positions


def _place(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0
