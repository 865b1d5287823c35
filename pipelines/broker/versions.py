"""The least Kafka that promises can be kept on, told by the settings that its brokers have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEAST_KAFKA: Final = "3.6"
"""The first release that can refuse records which are too old or too far ahead (KIP-937); without that no TTL holds."""
_SINCE_LEAST: Final = frozenset({"log.message.timestamp.before.max.ms", "log.message.timestamp.after.max.ms"})
_ALWAYS: Final = "log.message.timestamp.type"


def too_old(brokers: Mapping[int, Mapping[str, object]]) -> list[int]:
    """Return the ids of the brokers that are older than `LEAST_KAFKA`, ascending.

    Args:
        brokers: broker id → its settings by name. One that tells none of them is not judged: it may hide them.
    """
    return sorted(number for number, told in brokers.items() if _ALWAYS in told and not told.keys() >= _SINCE_LEAST)
