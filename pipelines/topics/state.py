"""A cluster as far as promises go, as one value that can be written down, compared and reasoned about. Pure.

A topic's own settings are kept apart from what it inherits: the brokers' settings stand here once, under the names that
topics use. Brokers may disagree, so what is in force for a topic can be more than one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipelines.broker import Setting, Source
from pipelines.retention import FOREVER_MS, BrokerTimes, TopicSettings

CHECK_INTERVAL: Final = "log.retention.check.interval.ms"
SWEEP: Final = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
RETENTION: Final = "retention.ms"
SEGMENT: Final = "segment.ms"
DELETE_DELAY: Final = "file.delete.delay.ms"
AHEAD: Final = "message.timestamp.after.max.ms"
OLDEST: Final = "message.timestamp.before.max.ms"
CLOCK: Final = "message.timestamp.type"
CLEANUP: Final = "cleanup.policy"
TIERED: Final = "remote.storage.enable"
MESSAGE_BYTES: Final = "max.message.bytes"
SEGMENT_BYTES: Final = "segment.bytes"
RETENTION_BYTES: Final = "retention.bytes"
IN_SYNC: Final = "min.insync.replicas"
UNCLEAN: Final = "unclean.leader.election.enable"
COMPRESSION: Final = "compression.type"
BROKERS_OWN: Final = ("transaction.max.timeout.ms", "offset.metadata.max.bytes", "offsets.retention.minutes")
"""The brokers' limits that no topic overrides, and that a promise rests on."""
NEEDED: Final = frozenset({RETENTION, SEGMENT, DELETE_DELAY, AHEAD, OLDEST, CLOCK, CLEANUP, CHECK_INTERVAL, SWEEP})
"""What every broker has to tell, or no worst case can be computed."""
LENGTHS: Final = (RETENTION, SEGMENT, DELETE_DELAY, AHEAD, OLDEST)
"""The settings that say how long records live: the more, the longer."""
INITIAL_DELAY_MS: Final = 30_000
"""`log.initial.task.delay.ms`, which a broker does not tell; Kafka's default."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a topic was promised to, and for how long its records live."""

    ttl_ms: int
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latecomers:
    """Records that may be there and came when they were older than records may be now.

    They came at most `oldest_ms` (as `message.timestamp.before.max.ms` says it) after their own time, and by
    `until_ms` (ms since 1970); None: there is no record since when no more of them come.
    """

    oldest_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """A value in force, where it comes from, and the broker (None: the topic itself)."""

    value: str
    source: Source
    broker: int | None

    def __str__(self) -> str:
        where = {
            Source.TOPIC: "set on the topic",
            Source.BROKER: f"set on broker {self.broker}",
            Source.CLUSTER: "set for all brokers",
            Source.FILE: f"in broker {self.broker}'s server.properties",
            Source.DEFAULT: "Kafka's default",
            Source.UNKNOWN: "of unknown source",
        }
        return f"{self.value} ({where[self.source]})"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it.

    `settings` are its own, what it inherits left out. Partitions and replication are None where the topic's settings
    may be seen, and the topic may not. The id is for those who need it, and enters no comparison.
    """

    partitions: int | None
    replication: int | None
    settings: Mapping[str, str]
    topic_id: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ClusterState:
    """Brokers, the contract's topics, and what else is known.

    Args:
        brokers: broker id → its settings, under the topics' names where topics inherit them.
        topics: those of the contract that exist.
        initial_delay_ms: the brokers' `log.initial.task.delay.ms`.
        undeclared: topics that exist and are not the contract's.
        readers: topic → who may read it by an ACL; None where that is not known.
        recorded: topic → the audience that was last applied; None where none was, or that is not known.
        hides_record: the topic of changes is there, and may not be read.
        latecomers: topic → the latecomers that the record of changes knows of, or cannot rule out.
    """

    brokers: Mapping[int, Mapping[str, Setting]]
    topics: Mapping[str, TopicState]
    initial_delay_ms: int = INITIAL_DELAY_MS
    undeclared: tuple[str, ...] = ()
    readers: Mapping[str, tuple[str, ...]] | None = None
    recorded: Mapping[str, Audience] | None = None
    hides_record: bool = False
    latecomers: Mapping[str, Latecomers] = field(default_factory=dict)

    @property
    def times(self) -> BrokerTimes:
        """The worst of all brokers' delays."""
        return BrokerTimes(
            check_interval_ms=self._worst(CHECK_INTERVAL),
            initial_delay_ms=self.initial_delay_ms,
            delete_delay_ms=self._worst(DELETE_DELAY),
            sweep_ms=self._worst(SWEEP),
        )

    def in_force(self, topic: str, name: str) -> tuple[Held, ...]:
        """The values of a setting that are in force for a topic: its own, or every broker's, each value once."""
        own = self.topics[topic].settings.get(name)
        if own is not None:
            return (Held(own, Source.TOPIC, None),)
        return tuple({held.value: held for held in self.inherited(name)}.values())

    def longest(self, topic: str, name: str) -> Held:
        """That of the values in force, milliseconds all, which keeps records longest; -1 is without end."""
        return max(self.in_force(topic, name), key=lambda held: unlimited(held.value))

    def kept(self, topic: str) -> TopicSettings:
        """The longest retention and segment in force; a retention without end is -1."""
        retention_ms = int(self.longest(topic, RETENTION).value)
        return TopicSettings(retention_ms, int(self.longest(topic, SEGMENT).value))

    def inherited(self, name: str) -> Iterator[Held]:
        """Each broker's value of a setting, under the name that topics use; nothing where it does not tell."""
        for number, settings in sorted(self.brokers.items(), reverse=True):
            if name in settings:
                yield Held(settings[name].value, settings[name].source, number)

    def _worst(self, name: str) -> int:
        return max(int(held.value) for held in self.inherited(name))


_TIMES: Final = BrokerTimes()
USUAL: Final[Mapping[str, Setting]] = {
    name: Setting(value, Source.DEFAULT)
    for name, value in (
        (RETENTION, "604800000"),
        (SEGMENT, "604800000"),
        (DELETE_DELAY, str(_TIMES.delete_delay_ms)),
        (AHEAD, "3600000"),
        (OLDEST, str(FOREVER_MS)),
        (CLOCK, "CreateTime"),
        (CLEANUP, "delete"),
        (CHECK_INTERVAL, str(_TIMES.check_interval_ms)),
        (SWEEP, str(_TIMES.sweep_ms)),
        (COMPRESSION, "producer"),
    )
}
"""What a broker of Kafka 4.3 that nobody configured has."""


def unlimited(value: str) -> int:
    """Milliseconds as Kafka means them: a negative number is no limit."""
    return int(value) if int(value) >= 0 else FOREVER_MS
