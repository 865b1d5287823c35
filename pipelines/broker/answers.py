"""What a cluster says of itself, and what it is asked to make: values, no client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Partition = tuple[str, int]
"""A topic's name and a partition's number."""
At = Literal["earliest", "latest"] | int
"""A place in a partition: its log start, its end, or the oldest record that is not older than that time in ms."""


class Source(StrEnum):
    """Where a setting comes from, the narrowest first."""

    TOPIC = "topic"
    BROKER = "broker"
    CLUSTER = "cluster"
    FILE = "file"
    DEFAULT = "default"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force.

    It comes from the topic itself, from the dynamic settings of one broker or of the cluster, from a broker's
    server.properties (file), or is Kafka's default.
    """

    value: str
    source: Source


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition lies: the brokers with a replica, those in sync, and its leader (None: it has none now)."""

    partition: int
    leader: int | None
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the cluster has it. `topic_id` is its 16 bytes, new each time a topic of that name is made."""

    name: str
    topic_id: bytes
    partitions: int
    replication: int
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to make, with the settings that differ from the broker's defaults."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offset:
    """A place in a partition. `timestamp_ms` is that of the record there, None where ListOffsets gives none."""

    offset: int
    timestamp_ms: int | None


@dataclass(frozen=True, slots=True)
class Committed:
    """What a group committed for a partition: the next offset to read, and the text that went with it."""

    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Grant:
    """An ACL that lets a principal read a topic, or all whose names begin so. `*` stands for everybody, or for all."""

    principal: str
    topic: str
    is_prefix: bool

    def covers(self, topic: str) -> bool:
        """Whether the topic is among those."""
        return self.topic in {topic, "*"} or (self.is_prefix and topic.startswith(self.topic))
