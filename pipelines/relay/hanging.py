"""Transactions that nothing will end: told from those that are only open, before this worker writes on top of them.

A broker that comes back may call a transaction complete without writing its markers (KAFKA-20734, decision 0064). Its
records are then neither committed nor aborted, until the next marker of the same producer decides about them: an abort
would take records away whose commit was acknowledged, a commit would double records that were sent again. So a new
producer sends nothing before all that lies in its topics is decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NoReturn

from pipelines.broker import Offset, Partition, TopicInfo
from pipelines.relay.station import Station
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from pipelines.trouble import Exit, Trouble

# Others' transactions end within their timeout, and the coordinator's look for overdue ones: 10 s by default.
_DECIDED_WITHIN_S: Final = TRANSACTION_TIMEOUT_MS / 1000 + 10 + 5
_ANSWERED_WITHIN_S: Final = 60.0
_PAUSE_S: Final = 0.02
_REFUSED_PAUSE_S: Final = 0.5
_ENOUGH_REPLICAS: Final = 3


class Hanging:
    """Looks at the last stable offsets of the topics that a worker writes to.

    Args:
        topics: their names.
        stopping: whether the worker was told to stop; the wait ends then.
    """

    def __init__(self, station: Station, topics: Iterable[str], stopping: Callable[[], bool]) -> None:
        self._station = station
        self._topics = sorted(topics)
        self._stopping = stopping
        self._admin = station.cluster.admin()
        self.often = False
        """Whether to look before every batch: a topic has fewer than three replicas, on several brokers."""

    def over(self) -> bool:
        """Wait until everything that is in the topics now is committed or aborted: usually it is. False when stopped.

        Raises:
            Trouble: something is not, though every transaction's time is over (exit 4); or no broker says (exit 3).
        """
        ends: Mapping[Partition, Offset] | None = None
        begun = time.monotonic()
        while not self._stopping():
            self._station.beat()  # waiting is not being stuck
            try:
                ends = ends or self._ends()
                undecided = self._undecided(ends)
            except Trouble:
                if time.monotonic() - begun > _ANSWERED_WITHIN_S:
                    raise
                time.sleep(_REFUSED_PAUSE_S)  # a refusal comes at once
                continue
            if not undecided:
                return True
            if time.monotonic() - begun > _DECIDED_WITHIN_S:
                self._refuse(undecided)
            ends = {place: ends[place] for place in undecided}
            time.sleep(_PAUSE_S)
        return False

    def _ends(self) -> Mapping[Partition, Offset]:
        found = self._admin.topics(self._topics)
        self._judge(found)
        return self._admin.offsets(
            [(name, number) for name, topic in found.items() for number in range(topic.partitions)], "latest"
        )

    def _judge(self, found: Mapping[str, TopicInfo]) -> None:
        """Say so once, where looking often begins."""
        few = sorted(name for name, topic in found.items() if topic.replication < _ENOUGH_REPLICAS)
        often = bool(few) and len(self._admin.broker_ids()) > 1
        if often and not self.often:
            self._station.log.warning("replicas.few", topics=few)
        self.often = often

    def _undecided(self, ends: Mapping[Partition, Offset]) -> dict[Partition, int]:
        stable = self._admin.offsets(ends, "latest", read_committed=True)
        return {place: stable[place].offset for place, end in ends.items() if stable[place].offset < end.offset}

    def _refuse(self, undecided: Mapping[Partition, int]) -> NoReturn:
        for (topic, partition), offset in sorted(undecided.items()):
            self._station.log.error("transaction.hangs", topic=topic, partition=partition, offset=offset)
        (topic, partition), offset = min(undecided.items())
        more = f", and in {len(undecided) - 1} more partitions" if len(undecided) > 1 else ""
        raise hangs(f"{topic}/{partition} from offset {offset} on{more}")


def hangs(where: str) -> Trouble:
    """What a worker ends with that met a transaction which nothing will end (exit 4)."""
    return Trouble(
        f"a transaction hangs in {where}",
        hint="The brokers lost its end: docs/exactly-once.md, “A transaction that hangs”, says how to end it.",
        exit_code=Exit.REFUSED,
    )
