"""A replay: read → minimize → leave out what is there → produce → offsets → commit, with the relay's own parts.

It is exact because of three things. The replay's offsets and counts are committed in the transaction of its records, in
a group named after what it does: repeated, it goes on behind its last commit. All replays of an event type share a
transactional id, so a second one ends the first before it looks at what is there. And only what the relay has
committed is taken, so the two never write the same record.

No record lives longer for it: its time is the raw broker time, floored, as ever, and an event that is older than its
topic's `late` is counted and left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from pipelines.broker import TIMESTAMP_LOG_APPEND_TIME, Message
from pipelines.contract.model import DAY_MS, Contract, Purpose
from pipelines.keys import Keyring, topic_hash
from pipelines.relay.believed import BelievedTime
from pipelines.relay.books import PartitionBook
from pipelines.relay.lane import NO_BROKER_TIME, Lane, Raw
from pipelines.relay.outbox import Outbox
from pipelines.relay.station import Station
from pipelines.replay.batch import ReplayBatch
from pipelines.replay.ledger import Ledger, Position, after, before, length
from pipelines.replay.presence import Present, ids_in, notes_in
from pipelines.replay.reading import Portion, RawReader
from pipelines.replay.recording import ReplayRecorder
from pipelines.replay.selection import Spans, Views
from pipelines.replay.tally import Tally
from pipelines.replay.task import ReplaySettings, Task
from pipelines.retention import SLACK_MS
from pipelines.trouble import Trouble

_FAILURES = 10  # batches in a row that the cluster does not take


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a replay, or would come.

    `tally` counts all its runs; `resumed` says that there were some before. `behind` are raw offsets that the relay has
    still to relay, and that were left to it. `gone_before_ms`: raw events of an earlier broker time may be deleted
    (None: none is).
    """

    name: str
    tally: Tally
    resumed: bool
    behind: int
    gone_before_ms: int | None


class Replay:
    """Built from a valid contract, and a cluster whose topics keep their promises.

    Args:
        station: its settings are those of this replay.
        topic_id: the raw topic's id (16 bytes), which enters the event ids.
        recorder: records it before anything is written, and its end.
        clock: seconds since 1970.
        tell: told how many of how many raw offsets are done.
    """

    def __init__(
        self,
        station: Station,
        contract: Contract,
        keys: Keyring,
        task: Task,
        topic_id: bytes,
        recorder: ReplayRecorder,
        *,
        clock: Callable[[], float] = time.time,
        tell: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        if not isinstance(station.settings, ReplaySettings):
            raise TypeError("a replay's station has a replay's settings")
        self._settings = station.settings
        self._station, self._contract, self._keys, self._task = station, contract, keys, task
        self._event = contract.events[task.event]
        self._raw = contract.raw_topics[self._event.raw_topic]
        self._topic_hash = topic_hash(topic_id)
        self._clock, self._tell, self._recorder = clock, tell, recorder
        self._believed = self._believing(lambda: int(clock() * 1000))  # a dry run writes nothing, so it asks nobody
        self._lanes: dict[Views, Lane] = {}
        self._present: dict[str, Present] = {}
        self._notes: set[bytes] = set()

    def dry_run(self) -> Outcome:
        """What `execute` would do now. Writes nothing and fences nobody.

        Raises:
            Trouble: as `execute`.
        """
        return self._through(None)

    def execute(self) -> Outcome:
        """Do it; exactly once, however often it is interrupted and repeated.

        Raises:
            Trouble: (exit 3) a key is missing, the cluster is out of reach, or it cannot be recorded; (exit 4) another
                replay of this event type began, or the relay used another keyring. Nothing is half-done then.
        """
        topics = self._task.selection.topics
        outbox = Outbox(self._station, topics, self._contract.quarantine.name, lambda: False)
        self._believed = self._believing(outbox.brokers_ms)
        try:
            outbox.settle()
            return self._through(outbox)
        finally:
            outbox.close()

    def _through(self, outbox: Outbox | None) -> Outcome:
        with closing(Ledger(self._station.cluster, self._raw, self._settings)) as ledger:
            edges = ledger.edges(self._task.selection)
            wanted = self._task.selection.spans(edges)
            spans = before(wanted, ledger.relayed(self._keys.mark))
            gone = self._task.selection.gone(edges)
            position = self._begin(ledger, gone)
            resumed = position.tally.batches > 0
            self._look()
            left = length(after(spans, position.offsets))
            if outbox and left:
                self._recorder.begun(left, resumed=resumed)
            self._station.log.info(
                "replay.started", replay=self._settings.name, event_type=self._task.event, resumed=resumed
            )
            failures = 0
            while (reached := self._run(position, spans, outbox, ledger)) is None:
                failures += 1
                if failures == _FAILURES or outbox is None:
                    raise Trouble(
                        f"the cluster failed the replay {failures} times",
                        hint="What is committed stands. See the log lines above, and repeat this command to go on.",
                    )
                outbox.settle()
                stood, position = position, self._begin(ledger, gone)
                if position.tally.batches > stood.tally.batches:
                    failures = 1  # others came through in between
            self._station.log.info("replay.finished", replay=self._settings.name, events=reached.tally.taken)
            if outbox and left:
                self._recorder.done(reached.tally)
            behind = length(wanted) - length(spans)
            return Outcome(self._settings.name, reached.tally, resumed, behind, ledger.oldest_ms())

    def _begin(self, ledger: Ledger, gone: list[Views]) -> Position:
        """Where the replay stands; what is gone already is counted at its very beginning."""
        position = ledger.position()
        if not position.tally.batches:
            position.tally.begin(self._task.selection.topics, gone)
        return position

    def _run(self, position: Position, spans: Spans, outbox: Outbox | None, ledger: Ledger) -> Position | None:
        """All that is left, in batches; where the replay is then, or None as soon as a batch is not taken."""
        left = after(spans, position.offsets)
        total = length(spans)
        reader = RawReader(self._station.cluster, self._raw.name, left, self._settings.batch_events)
        with closing(reader.portions()) as portions:
            for portion in portions:
                if self._believed.due() and not self._believed.ask():
                    return None
                batch, after_it = self._minimized(position, portion)
                if self._believed.must_ask(batch):
                    if not self._believed.ask():
                        return None
                    batch, after_it = self._minimized(position, portion)
                if outbox and not outbox.deliver(batch, ledger.commits(after_it), ledger.membership):
                    if outbox.time_refused:
                        self._believed.doubt()
                    return None
                position = after_it
                self._tell(total - length(after(spans, position.offsets)), total)
        return position

    def _minimized(self, position: Position, portion: Portion) -> tuple[ReplayBatch, Position]:
        """A portion as a batch, and where the replay is once that is committed."""
        tally = position.tally.copy()
        batch = ReplayBatch(now_ms=self._believed.now_ms(), events=len(portion.events))
        books: dict[Views, PartitionBook] = {}
        for message in portion.events:
            self._take(batch, tally, books, message)
        for book in books.values():
            tally.add(book)
        tally.batches += 1
        tally.lost += portion.lost
        batch.choose(self._settings.name, self._present, self._notes, tally)
        return batch, Position({**position.offsets, **portion.next_offsets}, tally)

    def _take(self, batch: ReplayBatch, tally: Tally, books: dict[Views, PartitionBook], message: Message) -> None:
        partition, offset = message.partition() or 0, message.offset() or 0
        kind, timestamp_ms = message.timestamp()
        views = self._task.selection.views(partition, offset, timestamp_ms)
        if not views:
            return
        tally.taken += 1
        if batch.now_ms - timestamp_ms > self._raw.ttl_ms:
            tally.expire(views)
            return
        lane = self._lane(views)
        book = books.get(views)
        if book is None:
            book = books[views] = PartitionBook(0)
            book.open_views(lane.topics)
        raw = Raw(partition, offset, timestamp_ms, message.value())
        if kind == TIMESTAMP_LOG_APPEND_TIME:
            lane.take(batch, book, raw)
        else:
            lane.refuse(batch, book, raw, NO_BROKER_TIME)

    def _lane(self, views: Views) -> Lane:
        """The way of an event to these views alone."""
        lane = self._lanes.get(views)
        if lane is None:
            event = replace(self._event, views=tuple(view for view in self._event.views if view.topic in views))
            lane = self._lanes[views] = Lane(self._contract, event, self._keys, self._topic_hash)
        return lane

    def _look(self) -> None:
        """See what is there. By now whoever else could write it is fenced."""
        selection, again = self._task.selection, self._task.again
        # A view may have had another step then. None is longer than a day.
        since_ms = max(0, selection.since_ms - DAY_MS)
        formers = {
            topic: self._keys.former_subkeys(self._purpose(topic), since_ms, selection.until_ms + SLACK_MS)
            for topic in selection.topics
        }
        asked = [topic for topic, former in formers.items() if former or not again]
        found = ids_in(self._station.cluster, dict.fromkeys(asked, since_ms))
        self._present = {topic: Present(ids, formers[topic], again) for topic, ids in found.items()}
        self._notes = notes_in(
            self._station.cluster, self._contract.quarantine.name, self._raw.name, selection.since_ms
        )

    def _purpose(self, topic: str) -> Purpose:
        """The purpose of the view of a topic."""
        return self._contract.purposes[self._contract.topics[topic].purpose]

    def _believing(self, ask: Callable[[], int | None]) -> BelievedTime:
        return BelievedTime(self._clock, ask, self._settings.source, self._station.log)
