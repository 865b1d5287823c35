"""What consumer groups committed, read once it is decided. Joins no group, reads no record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipelines.broker.answers import Committed, Partition
from pipelines.broker.asking import Asking
from pipelines.broker.passing import error_of
from pipelines.broker.unreachable import unreachable
from pipelines.trouble import Exit, Trouble

OPEN_S: Final = 60.0
"""What a worker that died had open is aborted by then: at its transaction's timeout and a sweep, 30 and 10 s."""
_MOMENT_S: Final = 2.0


class CommittedOffsets:
    """Reads the offsets of groups as consumers that never join them.

    An admin client's own request for a group's offsets ends the process when the coordinator has moved (librdkafka
    2.16: it asks for the new one in a group it has not).

    Args:
        asking: how long a request may wait.
        consumer: makes a consumer of the settings that it gets.
        open_s: for how long more an open transaction is waited for.
    """

    def __init__(self, asking: Asking, consumer: Callable[..., Consumer], open_s: float = OPEN_S) -> None:
        self._asking = asking
        self._open_s = open_s
        self._consumer = consumer
        self._readers: dict[tuple[str, str], Consumer] = {}

    def of(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
        """The committed offsets; a partition without a commit is left out.

        Offsets that an open transaction holds are waited for (KIP-447), so that a count is never read before its
        commit is decided.

        Raises:
            Trouble: (exit 3) no answer in time, a refusal, or a transaction that does not end.
        """
        asked = [TopicPartition(topic, number) for topic, number in partitions]
        if not asked:
            return {}
        wanted = f"read the offsets of the group {group}"
        found = self._decided(group, asked, wanted)
        return self._answer(found, wanted)

    def last(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
        """The offsets that were committed last, whatever transaction is open on top of them: it waits for none.

        A partition without a commit is left out, and so is everything when nobody answers in a moment.

        Raises:
            Trouble: (exit 3) a refusal.
        """
        asked = [TopicPartition(topic, number) for topic, number in partitions]
        wanted, reader = f"read the offsets of the group {group}", self._reader(group, "read_uncommitted")
        found = self._asking.patiently(lambda _: self._attempt(reader, asked), wanted) if asked else None
        return self._answer(found or [], wanted)

    def _answer(self, found: list[TopicPartition], wanted: str) -> dict[Partition, Committed]:
        for error in (partition.error for partition in found if partition.error is not None):
            raise unreachable(error, self._asking.bootstrap, wanted)
        return {
            (partition.topic, partition.partition): Committed(partition.offset, partition.metadata or "")
            for partition in found
            if partition.offset >= 0
        }

    def _decided(self, group: str, asked: list[TopicPartition], wanted: str) -> list[TopicPartition]:
        stable, last = self._reader(group, "read_committed"), self._reader(group, "read_uncommitted")
        silent_until = time.monotonic() + self._asking.timeout_s
        open_until = silent_until + self._open_s
        while (found := self._asking.patiently(lambda _: self._attempt(stable, asked), wanted)) is None:
            # The coordinator tells what was committed last, whatever is open on top of it: so it is no silence.
            told = self._asking.patiently(lambda _: self._attempt(last, asked), wanted) is not None
            if told:
                silent_until = time.monotonic() + self._asking.timeout_s
            if told and time.monotonic() > open_until:
                raise Trouble(
                    f"cannot {wanted} at {self._asking.bootstrap}: a transaction holds them open",
                    hint="Its producer died. The transaction ends by itself within its timeout; if it outlasts that: "
                    "docs/exactly-once.md, “A transaction that hangs”, says how to end it.",
                    exit_code=Exit.UNAVAILABLE,
                )
            if not told and time.monotonic() > silent_until:
                raise unreachable(None, self._asking.bootstrap, wanted)
        return found

    def _attempt(self, reader: Consumer, asked: list[TopicPartition]) -> list[TopicPartition] | None:
        """What a reader is told within a moment, so that an interrupt is heard; None when it is told nothing."""
        try:
            return reader.committed(asked, timeout=min(_MOMENT_S, self._asking.timeout_s))
        except KafkaException as failure:
            error = error_of(failure)
            if error is None or error.code() != KafkaError._TIMED_OUT:  # noqa: SLF001 - librdkafka's local codes are spelled so
                raise
            return None

    def _reader(self, group: str, isolation: str) -> Consumer:
        if (group, isolation) not in self._readers:
            settings: dict[str, Any] = {"group.id": group, "isolation.level": isolation}
            self._readers[group, isolation] = self._consumer(**settings)
        return self._readers[group, isolation]
