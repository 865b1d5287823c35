"""What a cluster says of itself, and what it is asked to make: values, no client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Partition = tuple[str, int]
"""A topic's name and a partition's number."""
At = Literal["earliest", "latest"] | int
"""A place in a partition: its log start, its end, or the oldest record that is not older than that time in ms."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the cluster has it. `topic_id` is its 16 bytes, new each time a topic of that name is made."""

    name: str
    topic_id: bytes
    partitions: int
    replication: int


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
