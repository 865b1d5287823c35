"""Transactions that nothing will end: told from those that are only open, before this worker writes on top of them.

A broker that comes back may call a transaction complete without writing its markers (KAFKA-20734, decision 0064). Its
records are then neither committed nor aborted, until the next marker of the same producer decides about them: an abort
would take records away whose commit was acknowledged, a commit would double records that were sent again. So a new
producer sends nothing before all that lies in its topics is decided; and where a broker can take a partition's last
replica with it while the coordinator lives, which no client hears of, no batch is sent before, nor before its group's
offsets are decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, NoReturn

from pipelines.broker import (
    Consumer,
    KafkaException,
    Offset,
    Partition,
    SilentClusterError,
    TopicInfo,
    TopicPartition,
)
from pipelines.relay.station import Station
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from pipelines.trouble import Exit, Trouble

_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5
_ENOUGH_REPLICAS: Final = 3
_JUDGED_EVERY_S: Final = 60.0
_JUDGED_AGAIN_S: Final = 5.0  # at first, where Kafka's topic of offsets is not made yet
_OFFSETS_WAIT_S: Final = 2.0
_LONGEST_OFFSETS_WAIT_S: Final = TRANSACTION_TIMEOUT_MS / 1000
# Where Kafka keeps the offsets of groups; who may not describe it goes by the other topics alone.
_OFFSETS: Final = "__consumer_offsets"


class Hanging:
    """Looks at the last stable offsets of the topics that a worker writes to.

    Args:
        topics: their names.
        stopping: whether the worker was told to stop; a wait ends then.
        clock: monotonic seconds; tests move it by hand.
    """

    def __init__(
        self,
        station: Station,
        topics: Iterable[str],
        stopping: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._station = station
        self._limits = station.settings.limits
        self._topics = sorted(topics)
        self._stopping = stopping
        # A slow request is made again here, with a sign of life in between, and not within the client.
        self._admin = station.cluster.admin(rounds=1)
        # Topics with too few replicas, on several brokers; which was so once is looked at for good.
        self._few: frozenset[str] = frozenset()
        self._judged_again_s = _JUDGED_AGAIN_S
        self._judge_at = float("-inf")
        self._awaited: Mapping[Partition, Offset] = {}  # the ends that are to be decided
        self._awaited_since = 0.0  # and since when brokers have answered without a break
        self._unanswered: tuple[type[Trouble], float] | None = None  # how, and since when
        self._reader: Consumer | None = None  # of the group's offsets; joins nothing
        self._offsets_wait_s = _OFFSETS_WAIT_S

    @property
    def few(self) -> bool:
        """Whether to look at the topics before every batch."""
        self._judge()
        return self._limits.look == "always" or bool(self._few - {_OFFSETS})

    @property
    def few_of_offsets(self) -> bool:
        """Whether to look at the group's offsets before every batch."""
        self._judge()
        return self._limits.look == "always" or _OFFSETS in self._few

    def over(self) -> bool:
        """Wait until everything that is in the topics now is committed or aborted: usually it is. False when stopped.

        A worker waits for silent brokers as long as it takes, as in its other waits.

        Raises:
            Trouble: something is not, though every transaction's time is over (exit 4); the cluster refused to say, or
                a topic was missing, for a minute (exit 3); or brokers were silent for longer than the settings bear.
        """
        self._judge()
        self._awaited, self._unanswered = {}, None
        return self._wait(float("inf"), patient=False)

    def over_within(self, seconds: float) -> bool:
        """The same for as long as a batch may wait; the next call goes on waiting for the same. Bears silent brokers.

        Raises:
            Trouble: as above (exit 4), when all calls have waited for so long.
        """
        return self._wait(seconds, patient=True)

    def offsets_over(self, offsets: Iterable[TopicPartition]) -> bool:
        """Whether what was sent of the group's offsets for these partitions is decided, or becomes so in a moment.

        Bears silent brokers. On a network so slow that the moment is too short the next one is twice as long.
        """
        asked = [TopicPartition(each.topic, each.partition) for each in offsets]
        if not asked:
            return True
        if self._reader is None:
            settings = {"group.id": self._station.settings.group, "isolation.level": "read_committed"}
            self._reader = self._station.cluster.consumer(**settings)
        try:
            told = not any(each.error for each in self._reader.committed(asked, self._offsets_wait_s))
        except KafkaException:
            told, self._reader = False, None  # another one finds its way anew
        self._offsets_wait_s = _OFFSETS_WAIT_S if told else min(2 * self._offsets_wait_s, _LONGEST_OFFSETS_WAIT_S)
        return told

    def _wait(self, seconds: float, *, patient: bool) -> bool:
        until, pause_s = self._clock() + seconds, _PAUSE_S
        while not self._stopping():
            self._station.beat()  # waiting is not being stuck
            try:
                if self._look():
                    return True
            except Trouble as trouble:
                silent = isinstance(trouble, SilentClusterError)
                borne_s = self._station.settings.bears_silence_s if silent else self._limits.refused_s
                if trouble.exit_code is Exit.REFUSED or (self._unanswered_for(trouble) > borne_s and not patient):
                    raise
                pause_s = _LONGEST_PAUSE_S  # a refusal comes at once
            if self._clock() + pause_s > until:
                break
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
        return False

    def _unanswered_for(self, trouble: Trouble) -> float:
        """Seconds of the same kind of trouble. What brokers may have ended meanwhile counts from now on."""
        now, kind = self._clock(), type(trouble)
        self._awaited_since = now
        if self._unanswered is None or self._unanswered[0] is not kind:
            self._unanswered = (kind, now)
        return now - self._unanswered[1]

    def _look(self) -> bool:
        """Look once at what is awaited, which is all that is there when nothing is."""
        if not self._awaited:
            self._awaited, self._awaited_since = self._ends(), self._clock()
        stable = self._admin.offsets(self._awaited, "latest", read_committed=True)
        self._unanswered = None
        undecided = {
            place: stable[place].offset for place, end in self._awaited.items() if stable[place].offset < end.offset
        }
        self._awaited = {place: self._awaited[place] for place in undecided}
        if undecided and self._clock() - self._awaited_since > self._limits.decided_s:
            self._refuse(undecided)
        return not undecided

    def _ends(self) -> Mapping[Partition, Offset]:
        found = self._admin.topics(self._topics)
        if missing := sorted(set(self._topics) - found.keys()):
            raise Trouble(
                f"the topic {missing[0]} is not there", hint="`pipelines topics apply` creates what is missing."
            )
        return self._admin.offsets(
            [(name, number) for name, topic in found.items() for number in range(topic.partitions)], "latest"
        )

    def _judge(self) -> None:
        """Once a minute, as replicas move and brokers come. Say so once, where looking often begins."""
        if self._limits.look != "auto" or self._clock() < self._judge_at:
            return
        found: Mapping[str, TopicInfo] = {}
        with suppress(Trouble):
            found = self._admin.topics([*self._topics, _OFFSETS])
            few = {name for name, topic in found.items() if topic.replication < _ENOUGH_REPLICAS} - self._few
            if few and len(self._holders(found)) > 1:
                self._few |= few
                self._station.log.warning("replicas.few", topics=sorted(few))
        self._judge_at = self._clock() + _JUDGED_EVERY_S
        if _OFFSETS not in found:  # not made yet, or nobody answered
            self._judge_at = self._clock() + self._judged_again_s
            self._judged_again_s = min(2 * self._judged_again_s, _JUDGED_EVERY_S)

    def _holders(self, found: Mapping[str, TopicInfo]) -> set[int]:
        """All brokers that there are, those that are away and hold a replica included."""
        holders = {node for topic in found.values() for place in topic.places for node in place.replicas}
        return holders.union(self._admin.broker_ids())

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
