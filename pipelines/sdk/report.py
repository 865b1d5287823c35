"""What became of the events handed to a producer: counts, and which ones Kafka did not take. Never a value or a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IN_FLIGHT: Final = "IN_FLIGHT"
QUEUE_FULL: Final = "QUEUE_FULL"
INTERRUPTED: Final = "INTERRUPTED"


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """An event that Kafka did not acknowledge.

    `number` is its place among all events handed to the producer, from 1. `error` is librdkafka's name of the error,
    `QUEUE_FULL` for an event that found no room in time, `INTERRUPTED` for one whose `send` an exception broke off, or
    `IN_FLIGHT` for one whose answer is still awaited.
    """

    event: str
    number: int
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was settled since the last report, and (as `IN_FLIGHT`) what is not settled yet, by number."""

    acknowledged: int
    unacknowledged: tuple[Unacknowledged, ...]
