"""Reading stretches of a raw topic, without a group and without committing anything.

What cannot be unpacked is searched as the relay does it (`relay.search`), counted and passed over: quarantine has it.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

from pipelines.broker import Cluster, Consumer, KafkaError, Message, TopicPartition, passes, unreachable
from pipelines.relay.limits import BATCH_BYTES, FETCHING, SLICE, bytes_of
from pipelines.relay.search import Search
from pipelines.relay.suspects import PATIENCE_S
from pipelines.replay.selection import Spans

_WAIT_S: Final = 0.05
_SILENCE_S: Final = 60.0
_TRIES: Final = 5


@dataclass(slots=True)
class Portion:
    """Events, and where each partition's reading stands after them.

    `lost` are offsets that nobody can read, or that expired meanwhile; `size` is the events' in bytes.
    """

    next_offsets: dict[int, int]
    events: list[Message] = field(default_factory=list)
    lost: int = 0
    size: int = 0


class RawReader:
    """Reads the spans of one raw topic, each partition's in their order.

    Args:
        spans: what to read; a partition without any is left alone.
        most: how many events a portion has at most.
    """

    def __init__(self, cluster: Cluster, topic: str, spans: Spans, most: int) -> None:
        self._cluster, self._topic, self._most = cluster, topic, most
        self._spans = {number: list(mine) for number, mine in spans.items() if mine}
        self._at = {number: mine[0][0] for number, mine in self._spans.items()}
        self._tries = dict.fromkeys(self._spans, 0)
        self._portion = Portion({})

    def portions(self) -> Generator[Portion, None, None]:
        """All of it, in portions. The next one is read when it is asked for.

        Raises:
            Trouble: (exit 3) the topic cannot be read.
        """
        if not self._spans:
            return
        consumer = self._cluster.consumer(
            **FETCHING, **{"enable.partition.eof": True, "fetch.wait.max.ms": 10, "group.id": "minimizer.reader"}
        )
        try:
            consumer.assign([TopicPartition(self._topic, number, at) for number, at in self._at.items()])
            while self._spans:
                self._fill(consumer)
                portion, self._portion = self._portion, Portion({})
                portion.next_offsets = dict(self._at)
                if portion.events or portion.lost or not self._spans:
                    yield portion
        finally:
            consumer.close()

    def _fill(self, consumer: Consumer) -> None:
        heard_at = time.monotonic()
        portion = self._portion
        while self._spans and len(portion.events) < self._most and portion.size < BATCH_BYTES:
            upset = set[int]()
            messages = consumer.consume(min(SLICE, self._most - len(portion.events)), _WAIT_S)
            for message in messages:
                number, error = message.partition() or 0, message.error()
                if number in upset or number not in self._spans:
                    continue  # it comes from before a seek
                if error is None:
                    self._take(consumer, number, message)
                elif self._heed(consumer, number, error, message.offset()):
                    upset.add(number)
            if any((error := message.error()) is None or not passes(error) for message in messages):
                heard_at = time.monotonic()
            elif portion.events:
                return
            elif time.monotonic() - heard_at > _SILENCE_S:
                raise unreachable(None, self._cluster.bootstrap, f"read {self._topic}")

    def _take(self, consumer: Consumer, number: int, message: Message) -> None:
        offset = message.offset() or 0
        if offset < self._at[number]:
            return
        self._reach(consumer, number, offset)  # where offsets hold no event, the next one may lie in a later span
        if self._at[number] == offset and number in self._spans:
            self._portion.events.append(message)
            self._portion.size += bytes_of(message)
            self._tries[number] = 0
            self._reach(consumer, number, offset + 1)

    def _reach(self, consumer: Consumer, number: int, offset: int) -> None:
        """All before an offset is dealt with; go on with the next span when that ends this one."""
        mine = self._spans[number]
        if offset < mine[0][1]:
            self._at[number] = offset
            return
        while mine and mine[0][1] <= offset:
            self._at[number] = mine.pop(0)[1]
        if mine:
            self._at[number] = max(offset, mine[0][0])
            if mine[0][0] > offset:
                consumer.seek(TopicPartition(self._topic, number, self._at[number]))
            return
        del self._spans[number]
        consumer.pause([TopicPartition(self._topic, number)])

    def _heed(self, consumer: Consumer, number: int, error: KafkaError, offset: int | None) -> bool:
        """Deal with what came in place of an event; whether the rest of that partition's slice is void."""
        code = error.code()
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's local codes are spelled so
            self._reach(consumer, number, offset or 0)
            return False
        if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - as above
            low, _ = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=10, cached=False)
            self._skip(consumer, number, low)
            return True
        if code in PATIENCE_S:
            self._search(consumer, number)
            return True
        if not passes(error):
            raise unreachable(error, self._cluster.bootstrap, f"read {self._topic}")
        return False

    def _search(self, consumer: Consumer, number: int) -> None:
        self._tries[number] += 1
        if self._tries[number] > _TRIES:
            raise unreachable(None, self._cluster.bootstrap, f"read {self._topic}")
        at, end = self._at[number], self._spans[number][0][1]
        search = Search(self._cluster, self._topic, number, at, end, frozenset(PATIENCE_S))
        try:
            while (found := search.step()) is None:
                time.sleep(_WAIT_S / 5)
        finally:
            search.close()
        self._skip(consumer, number, at if found.end is None else found.end)

    def _skip(self, consumer: Consumer, number: int, offset: int) -> None:
        at = self._at[number]
        self._portion.lost += sum(max(0, min(offset, end) - max(at, first)) for first, end in self._spans[number])
        self._reach(consumer, number, offset)
        if number in self._spans:
            consumer.seek(TopicPartition(self._topic, number, self._at[number]))
