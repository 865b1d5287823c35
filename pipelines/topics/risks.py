"""Settings in force under which records may be lost before their time. Pure.

A risk breaks no TTL, and the relay runs on. But an event that nobody has read may be gone, so plan and verify name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.topics.promise import Promise, replicas
from pipelines.topics.state import IN_SYNC, RETENTION_BYTES, UNCLEAN, ClusterState, Held, unlimited


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
