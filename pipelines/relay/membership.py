"""A worker's place in its group: the consumer that holds it, what a rebalance gives and takes, whose name to commit in.

Joins as a static member under the `classic` protocol (KIP-345), so that a restart costs no rebalance; under `consumer`
(KIP-848) the broker assigns, and partitions come and go one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipelines.broker import Consumer, KafkaException, TopicPartition
from pipelines.relay.limits import FETCHING
from pipelines.relay.station import Station
from pipelines.relay.steps import Step


class ConsumerLostError(Exception):
    """The consumer cannot go on; a new one can. Holds the error's name only."""


class Membership:
    """Owns the consumer of one slot.

    Args:
        topics: what to subscribe to.
        given: told the partitions that an assignment gives; returns where to read each from.
        taken: told the partitions that are held no more.
    """

    def __init__(
        self,
        station: Station,
        topics: Sequence[str],
        given: Callable[[list[TopicPartition]], list[TopicPartition]],
        taken: Callable[[list[TopicPartition]], None],
    ) -> None:
        self._station = station
        self._settings = station.settings
        self._topics = list(topics)
        self._given = given
        self._taken = taken
        self._consumer: Consumer | None = None
        self.rebalanced = False
        """Whether partitions came or went since this was last set to False."""

    @property
    def consumer(self) -> Consumer:
        """The consumer.

        Raises:
            ConsumerLostError: there is none.
        """
        if self._consumer is None:
            raise ConsumerLostError("closed")
        return self._consumer

    def open(self) -> None:
        """Join the group, with a consumer in place of the one there was."""
        self.close()
        self._consumer = self._station.cluster.consumer(**self._config())
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def close(self) -> None:
        """Leave, without committing anything."""
        consumer, self._consumer = self._consumer, None
        self.rebalanced = False
        if consumer is not None:
            consumer.close()

    def token(self) -> object | None:
        """The group's metadata, unless the group has put this member out since the last events came."""
        consumer = self.consumer
        # The same member before and after: so it was that one's metadata. (A new membership begins within a poll.)
        member = consumer.memberid()
        metadata: object = consumer.consumer_group_metadata()
        return metadata if member and consumer.memberid() == member else None

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._consumer is None:
            return  # it is being closed, and that is where this comes from
        self._rebalancing("partitions.assigned", partitions)
        try:
            positions = self._given(partitions)
            if self._settings.protocol == "classic":
                self.consumer.assign(positions)
            else:
                self.consumer.incremental_assign(positions)
        except KafkaException as failure:
            # Not the client's own exception: on its way out of a callback it becomes something that nothing catches.
            raise ConsumerLostError(failure.args[0].name()) from None

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalancing("partitions.revoked", partitions)
        self._taken(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalancing("partitions.lost", partitions)
        self._taken(partitions)

    def _rebalancing(self, event: str, partitions: Iterable[TopicPartition]) -> None:
        self.rebalanced = True
        by_topic: dict[str, list[int]] = {}
        for partition in partitions:
            by_topic.setdefault(partition.topic, []).append(partition.partition)
        for topic, numbers in sorted(by_topic.items()):
            self._station.log.info(event, topic=topic, partitions=sorted(numbers))
        self._station.at(Step.REBALANCING)

    def _config(self) -> dict[str, Any]:
        classic: dict[str, Any] = {
            # Not cooperative-sticky: a static member that dies between giving a partition up and joining again gets its
            # last assignment when it comes back, without a rebalance, and the partition is nobody's (decision 0061).
            "partition.assignment.strategy": "roundrobin",
            "group.instance.id": self._settings.slot_id,
            "session.timeout.ms": self._settings.session_timeout_ms,
            "heartbeat.interval.ms": self._settings.session_timeout_ms // 4,
        }
        return {
            "group.id": self._settings.group,
            "group.protocol": self._settings.protocol,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            # The broker's rebalance timeout, too: with Kafka's default all partitions stood for 300 s when a rebalance
            # waited for a member that was gone (decision 0064). No batch that takes longer than this can be committed:
            # a transaction lives 30 s and a sweep.
            "max.poll.interval.ms": max(self._settings.max_poll_ms, self._settings.session_timeout_ms),
            "fetch.wait.max.ms": 100,
            "enable.partition.eof": True,
            **FETCHING,
            **(classic if self._settings.protocol == "classic" else {}),
        }
