"""What consumer groups committed, read once it is decided. Joins no group, reads no record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines.broker.answers import Committed, Partition
from pipelines.broker.asking import Asking
from pipelines.broker.unreachable import unreachable
from pipelines.trouble import Exit, Trouble

OPEN_S: Final = 60.0
"""What a worker that died had open is aborted by then: at its transaction's timeout and a sweep, 30 and 10 s."""


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
        self._patient = replace(asking, timeout_s=open_s)
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
        for error in (partition.error for partition in found if partition.error is not None):
            raise unreachable(error, self._asking.bootstrap, wanted)
        return {
            (partition.topic, partition.partition): Committed(partition.offset, partition.metadata or "")
            for partition in found
            if partition.offset >= 0
        }

    def _decided(self, group: str, asked: list[TopicPartition], wanted: str) -> list[TopicPartition]:
        reader = self._reader(group, "read_committed")
        for asking in (self._asking, self._patient):
            try:
                return asking.patiently(lambda within_s: reader.committed(asked, timeout=within_s), wanted)
            except Trouble:
                if not self._answers(group, asked):
                    raise
        raise Trouble(
            f"cannot {wanted} at {self._asking.bootstrap}: a transaction holds them open",
            hint="A worker that died left it, and it ends by itself within its timeout. If it outlasts that: "
            "docs/exactly-once.md, “A transaction that hangs”, says how to end it.",
            exit_code=Exit.UNAVAILABLE,
        )

    def _answers(self, group: str, asked: list[TopicPartition]) -> bool:
        """Whether the coordinator tells what was committed, whatever is open on top of it."""
        try:
            self._reader(group, "read_uncommitted").committed(asked, timeout=self._asking.timeout_s)
        except KafkaException:
            return False
        return True

    def _reader(self, group: str, isolation: str) -> Consumer:
        if (group, isolation) not in self._readers:
            settings: dict[str, Any] = {"group.id": group, "isolation.level": isolation}
            self._readers[group, isolation] = self._consumer(**settings)
        return self._readers[group, isolation]
