"""A consumer's side of its group: what it subscribed to, its callbacks, and in whose name it commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, Message, TopicPartition

from pipelines.broker import Partition
from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.groups import Event, Member

Rebalanced = Callable[[Any, list[TopicPartition]], object]


@dataclass(frozen=True)
class GroupMetadata:
    """In whose name offsets are committed. Nobody has the generation -1, and is not checked (KIP-447)."""

    group: str
    generation: int
    member: str
    instance: str | None

    def check(self, broker: Broker) -> None:
        """Raise the broker's error unless the member may commit now. The caller holds the broker's lock."""
        if self.generation >= 0 or self.member:
            broker.group(self.group).check(self.member, self.instance, self.generation)


class Membership:
    """The membership of one consumer. `polled_at` is when it polled last, and infinite during a poll."""

    def __init__(self, broker: Broker, group: str, settings: Mapping[str, Any]) -> None:
        self._broker = broker
        self._group = group
        self._instance: str | None = settings.get("group.instance.id")
        self._session_s = int(settings.get("session.timeout.ms", 45_000)) / 1000
        self._max_poll_s = int(settings.get("max.poll.interval.ms", 300_000)) / 1000
        self._topics: Sequence[str] = ()
        self._callbacks: dict[str, Rebalanced | None] = {}
        self._member: Member | None = None
        self.polled_at = broker.now()

    @property
    def events(self) -> Sequence[Event]:
        """What the next poll deals with, besides messages."""
        return () if self._member is None else self._member.events

    @property
    def assignment(self) -> tuple[Partition, ...]:
        """The partitions that the group gave last."""
        return () if self._member is None else self._member.assignment

    @property
    def member_id(self) -> str | None:
        """The member's id, or None when the consumer is no member."""
        return None if self._member is None else self._member.id

    def metadata(self) -> GroupMetadata:
        """Return in whose name the consumer may commit now."""
        if self._member is None:
            return GroupMetadata(self._group, -1, "", self._instance)
        return GroupMetadata(self._group, self._member.generation, self._member.id, self._instance)

    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: Rebalanced | None,
        on_revoke: Rebalanced | None,
        on_lost: Rebalanced | None,
    ) -> None:
        """Join the group. Without `on_lost`, `on_revoke` is called in its place."""
        self._topics = topics
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost or on_revoke}
        self._join()

    def polling(self, *, is_on: bool) -> None:
        """Say that a poll begins or ends. One that begins too late has no effect: the group has put the member out."""
        with self._broker.request():
            self.polled_at = float("inf") if is_on else self._broker.now()

    def next_event(self) -> Event | None:
        """Take the next event."""
        with self._broker.request():
            return self._member.events.popleft() if self._member is not None and self._member.events else None

    def call(self, event: Event, consumer: object, partitions: list[TopicPartition]) -> None:
        """Call the application's callback for an event; a rebalance that takes nothing away is not told."""
        callback = self._callbacks.get(event)
        if callback is not None and (event == "assign" or partitions):
            callback(consumer, partitions)

    def after(self, event: Event) -> list[Message]:
        """Do what follows the callback, and return what the consumer is told."""
        if event == "revoke" and self._member is not None:
            with self._broker.request():
                self._broker.group(self._group).join(self._member)
        elif event == "lost":
            self._join()
            return [Message(error=KafkaError(KafkaError._MAX_POLL_EXCEEDED))]
        elif event == "fenced":
            self._member = None
            return [Message(error=KafkaError(KafkaError._FATAL, "Fatal error: Broker: Static consumer fenced"))]
        return []

    def check_commit(self) -> None:
        """Raise the broker's error unless the consumer may commit: as a member, or as nobody while there is none."""
        if self._member is not None or self._broker.group(self._group).members:
            metadata = self.metadata()
            self._broker.group(self._group).check(metadata.member, metadata.instance, metadata.generation)

    def leave(self, consumer: object, assignment: Callable[[], list[TopicPartition]]) -> None:
        """Leave the group, after a last callback for the partitions that are held."""
        member, self._member = self._member, None
        if member is None:
            return
        self.call("revoke", consumer, assignment())
        with self._broker.request():
            if member.instance:
                member.die()
            else:
                self._broker.group(self._group).leave(member)

    def _join(self) -> None:
        self._member = Member.of(self, self._instance, self._topics, self._session_s, self._max_poll_s)
        with self._broker.request():
            self._broker.group(self._group).join(self._member)
