"""The group coordinator of the classic protocol: members, rebalances, generations (KIP-62, KIP-345).

Every rebalance is eager: each member is asked to give up all its partitions and to join again; when all have joined,
or the rebalance's time is over, the partitions are dealt round robin to the members in the order of their names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import uuid4
from weakref import ref

from confluent_kafka import KafkaError

from pipelines.broker import Partition
from tests.support.memory_kafka.errors import failure

Event = Literal["assign", "revoke", "lost", "fenced"]


class Client(Protocol):
    """What the coordinator sees of a consumer: when it polled last, in seconds of the broker's clock."""

    polled_at: float


@dataclass(eq=False)
class Member:
    """A member of a group, shared by the coordinator and its client.

    `client` is dead when the consumer is garbage or, as a static member, closed: heartbeats end then. `events` are what
    the client's next poll deals with.
    """

    client: Callable[[], Client | None]
    instance: str | None
    topics: tuple[str, ...]
    session_s: float
    max_poll_s: float
    id: str = field(default_factory=lambda: uuid4().hex)
    generation: int = -1
    assignment: tuple[Partition, ...] = ()
    has_joined: bool = False
    heard_at: float = 0.0
    events: deque[Event] = field(default_factory=deque)

    @classmethod
    def of(
        cls, client: Client, instance: str | None, topics: Sequence[str], session_s: float, max_poll_s: float
    ) -> Member:
        """Make a member whose heartbeats end with its client."""
        return cls(ref(client), instance, tuple(topics), session_s, max_poll_s)

    def die(self) -> None:
        """End the heartbeats."""
        self.client = lambda: None

    def rejoins(self) -> None:
        """Ask the client to give its partitions up and to join again; without partitions the client just joins."""
        if self.assignment or self.events or self.client() is None:
            self.events.append("revoke")
        else:
            self.has_joined = True


class Group:
    """One group. The caller holds the broker's lock.

    Args:
        now: the broker's clock, in seconds.
        partitions_of: the number of partitions of a topic.
    """

    def __init__(self, now: Callable[[], float], partitions_of: Callable[[str], int]) -> None:
        self._now = now
        self._partitions_of = partitions_of
        self.generation = 0
        self.members: dict[str, Member] = {}
        self._rebalance_ends: float | None = None  # None: stable

    def join(self, member: Member) -> None:
        """Take in a member: a new one, one that gave up its partitions, or a static one that comes back."""
        member.heard_at = self._now()
        before = next(
            (each for each in self.members.values() if member.instance and each.instance == member.instance), member
        )
        if before is not member:
            del self.members[before.id]
            before.events = deque(["fenced"])
        self.members[member.id] = member
        if before is not member and self._rebalance_ends is None and before.topics == member.topics:
            member.generation, member.assignment = self.generation, before.assignment
            member.events.append("assign")
            return
        member.has_joined = True
        self._rebalance()

    def leave(self, member: Member) -> None:
        """Remove a member, if it is one, and deal its partitions anew."""
        if self.members.get(member.id) is member:
            del self.members[member.id]
            if self.members:
                self._rebalance()

    def check(self, member_id: str, instance: str | None, generation: int) -> None:
        """Check in whose name offsets are committed; nobody's name is not checked in a transaction (KIP-447).

        Raises:
            KafkaException: the member is unknown, fenced by its successor, or of an older generation.
        """
        if any(each.instance == instance and each.id != member_id for each in self.members.values() if instance):
            raise failure(KafkaError.FENCED_INSTANCE_ID, requires_abort=True)
        if member_id not in self.members:
            raise failure(KafkaError.UNKNOWN_MEMBER_ID, requires_abort=True)
        if generation != self.generation:
            raise failure(KafkaError.ILLEGAL_GENERATION, requires_abort=True)

    def expire(self) -> None:
        """Remove members that are silent or do not poll, and end a rebalance whose time is over."""
        now = self._now()
        for member in list(self.members.values()):
            client = member.client()
            if client is None and now >= member.heard_at + member.session_s:
                self.leave(member)
            elif client is not None:
                member.heard_at = now
                if now >= client.polled_at + member.max_poll_s:
                    member.events = deque(["lost"])
                    if member.instance:
                        member.die()  # a static member does not leave: its session has to end (KIP-345)
                    else:
                        self.leave(member)
        if self._rebalance_ends is not None and now >= self._rebalance_ends:
            for member in [each for each in self.members.values() if not each.has_joined and not each.instance]:
                del self.members[member.id]
            self._complete()

    def deadlines(self) -> Iterator[float]:
        """Return when `expire` has something to do, in seconds of the broker's clock."""
        if self._rebalance_ends is not None:
            yield self._rebalance_ends
        for member in self.members.values():
            client = member.client()
            yield member.heard_at + member.session_s if client is None else client.polled_at + member.max_poll_s

    def _rebalance(self) -> None:
        if self._rebalance_ends is None:
            self._rebalance_ends = self._now() + max(each.max_poll_s for each in self.members.values())
            for member in self.members.values():
                if not member.has_joined:
                    member.rejoins()
        if all(member.has_joined for member in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        self.generation += 1
        self._rebalance_ends = None
        members = sorted(self.members.values(), key=lambda each: each.instance or each.id)
        dealt: dict[str, list[Partition]] = {member.id: [] for member in members}
        turn = 0
        for topic in sorted({topic for member in members for topic in member.topics}):
            for number in range(self._partitions_of(topic)):
                while topic not in members[turn % len(members)].topics:
                    turn += 1
                dealt[members[turn % len(members)].id].append((topic, number))
                turn += 1
        for member in members:
            if member.has_joined:
                member.generation, member.has_joined = self.generation, False
                member.events.append("assign")
            member.assignment = tuple(dealt[member.id])
