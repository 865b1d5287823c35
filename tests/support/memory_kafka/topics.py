"""Topics: their partitions, their 16-byte ids and their settings, the inherited ones included."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError, Uuid

from tests.support.memory_kafka.errors import failure
from tests.support.memory_kafka.log import PartitionLog

# A topic's setting → the broker's setting that it inherits, and Kafka's default. Those that the project reads.
INHERITED: Final[Mapping[str, tuple[str, str]]] = {
    "retention.ms": ("log.retention.ms", "604800000"),
    "segment.ms": ("log.roll.ms", "604800000"),
    "file.delete.delay.ms": ("log.segment.delete.delay.ms", "60000"),
    "message.timestamp.type": ("log.message.timestamp.type", "CreateTime"),
    "message.timestamp.before.max.ms": ("log.message.timestamp.before.max.ms", "9223372036854775807"),
    "message.timestamp.after.max.ms": ("log.message.timestamp.after.max.ms", "3600000"),
    "cleanup.policy": ("log.cleanup.policy", "delete"),
    "max.message.bytes": ("message.max.bytes", "1048588"),
    "min.insync.replicas": ("min.insync.replicas", "1"),
    "unclean.leader.election.enable": ("unclean.leader.election.enable", "false"),
    "remote.storage.enable": ("", "false"),
    "compression.type": ("compression.type", "producer"),
}
BROKER_ONLY: Final[Mapping[str, str]] = {
    "log.retention.check.interval.ms": "300000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "10000",
    "auto.create.topics.enable": "false",
}


@dataclass
class Topic:
    """A topic as the broker holds it."""

    name: str
    partitions: list[PartitionLog]
    settings: Mapping[str, str] = field(default_factory=dict)
    id: Uuid = field(default_factory=lambda: Uuid(random.getrandbits(63), random.getrandbits(63)))

    def timestamp(self, given_ms: int, now_ms: int) -> tuple[int, int]:
        """Return the timestamp that a record gets; a producer's time of 0 means now.

        Raises:
            KafkaException: INVALID_TIMESTAMP, when the producer's time is too far from the broker's.
        """
        if self._setting("message.timestamp.type") == "LogAppendTime":
            return TIMESTAMP_LOG_APPEND_TIME, now_ms
        time_ms = given_ms or now_ms
        too_old = now_ms - time_ms > int(self._setting("message.timestamp.before.max.ms"))
        if too_old or time_ms - now_ms > int(self._setting("message.timestamp.after.max.ms")):
            raise failure(KafkaError.INVALID_TIMESTAMP)
        return TIMESTAMP_CREATE_TIME, time_ms

    def _setting(self, name: str) -> str:
        return self.settings.get(name, INHERITED[name][1])
