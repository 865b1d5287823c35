"""Where does a raw batch end that the client cannot read? Asked of a consumer of its own, which joins no group.

librdkafka tells an unreadable batch's first offset and not its last (`rd_kafka_msgset_reader_decompress`). But whoever
fetches from any offset within it gets the same error, with that first offset; so the end is searched: by doubling
strides first, then by halves. The search never waits: the worker's other partitions go on meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from pipelines.broker import Cluster, KafkaError, KafkaException, TopicPartition
from pipelines.relay.limits import FETCHING

_GIVE_UP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: the first offset after the batch; None when nothing was unreadable, or it broke off."""

    end: int | None


class Search:
    """One search, from an offset that could not be read on.

    Args:
        first: the offset; it lies within the batch, not always at its beginning.
        high: the partition's end (high watermark), beyond which no batch of now can reach.
        codes: the errors that mean that a batch is unreadable.
    """

    def __init__(
        self, cluster: Cluster, topic: str, partition: int, first: int, high: int, codes: frozenset[int]
    ) -> None:
        self._topic, self._partition, self._codes = topic, partition, codes
        self._first, self._inside, self._outside = first, first - 1, max(high, first + 1)
        self._base: int | None = None
        self._stride = 1
        self._deadline = time.monotonic() + _GIVE_UP_S
        self._consumer = cluster.consumer(
            **FETCHING, **{"enable.partition.eof": True, "fetch.wait.max.ms": 10, "fetch.error.backoff.ms": 10}
        )
        self._ask(first)

    def step(self) -> Found | None:
        """Take the answer to the last question, if it came, and ask the next one; None while the search goes on."""
        try:
            for message in self._consumer.consume(1, 0):
                error = message.error()
                found = self._heed(error, message.offset())
                if found is not None:
                    return found
        except KafkaException:
            return Found(None)
        return Found(None) if time.monotonic() > self._deadline else None

    def close(self) -> None:
        """Let the consumer go."""
        self._consumer.close()

    def _ask(self, offset: int) -> None:
        self._at = offset
        self._consumer.assign([TopicPartition(self._topic, self._partition, offset)])

    def _heed(self, error: KafkaError | None, offset: int | None) -> Found | None:
        code = None if error is None else error.code()
        if code in self._codes and offset is not None and offset <= self._at and self._base in {None, offset}:
            self._base, self._inside = offset, self._at
            self._stride *= 2
        elif code is None or code in self._codes or code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's local codes are spelled so
            if self._at == self._first:
                return Found(None)
            self._outside = self._at
        elif code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - as above
            return Found(None)  # it expired meanwhile
        else:
            return None  # a passing fault: the consumer tries again by itself
        if self._outside - self._inside == 1:
            return Found(self._outside)
        self._ask(min(self._inside + self._stride // 2, (self._inside + self._outside) // 2))
        return None
