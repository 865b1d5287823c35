"""Settings in force under which records may be lost before their time. Pure.

A risk breaks no TTL, and the relay runs on. But an event that nobody has read may be gone, so plan and verify name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.topics.limits import MOST_RAW_BYTES
from pipelines.topics.promise import UNPACKED, Clock, Promise, replicas
from pipelines.topics.state import (
    COMPRESSION,
    IN_SYNC,
    MESSAGE_BYTES,
    RETENTION_BYTES,
    UNCLEAN,
    ClusterState,
    Held,
    unlimited,
)


@dataclass(frozen=True, slots=True)
class Risk:
    """A setting of a topic in force, with its source, and what it may cost."""

    topic: str
    setting: str
    held: str
    message: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.held}: {self.message}"


def risks(promise: Promise, state: ClusterState) -> Iterator[Risk]:
    """The risks of one topic; none where it does not exist."""
    if promise.topic not in state.topics:
        return

    def risk(name: str, held: Held, message: str) -> Risk:
        return Risk(promise.topic, name, str(held), message)

    for held in state.in_force(promise.topic, RETENTION_BYTES):
        if unlimited(held.value) == int(held.value):
            yield risk(RETENTION_BYTES, held, "beyond that size Kafka deletes the oldest records, read or not")
    needed = replicas(len(state.brokers))[1]
    for held in state.in_force(promise.topic, IN_SYNC):
        if int(held.value) < needed:
            yield risk(IN_SYNC, held, f"at least {needed} is needed, or one lost disk may lose acknowledged records")
    for held in state.in_force(promise.topic, UNCLEAN):
        if held.value == "true":
            yield risk(UNCLEAN, held, "a replica that is behind may become the leader, and acknowledged records vanish")
    if promise.clock is Clock.BROKER and promise.compression == UNPACKED:
        yield from _of_batches(risk, promise, state)


def _of_batches(risk: Callable[[str, Held, str], Risk], promise: Promise, state: ClusterState) -> Iterator[Risk]:
    """The risks of a raw topic: how large a batch may become in a worker."""
    for held in state.in_force(promise.topic, COMPRESSION):
        if held.value != UNPACKED:
            yield risk(
                COMPRESSION,
                held,
                f"{MESSAGE_BYTES} then limits packed batches, and 100 kB of them may unpack to more than 1 GB in a "
                f"worker, which ends at its memory limit again and again; {UNPACKED} is needed",
            )
    for held in state.in_force(promise.topic, MESSAGE_BYTES):
        if int(held.value) > MOST_RAW_BYTES:
            message = f"a worker holds whole batches, and its memory is planned for {MOST_RAW_BYTES} bytes each"
            yield risk(MESSAGE_BYTES, held, message)
