"""What a cluster holds: topics, their settings, offsets and groups; and making topics. Never deletes, never alters.

Every call waits a bounded time and turns Kafka's errors into `Trouble` (exit 3). No call reads a record.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package has no __all__
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka.admin import NewTopic as _ClientNewTopic  # type: ignore[attr-defined]

from pipelines.broker.unreachable import error_of, unreachable

_Result = TypeVar("_Result")
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


class Admin:
    """The cluster's administration. Safe to use from several threads.

    Every method raises `Trouble` (exit 3) when the cluster does not answer within `timeout_s` or refuses.
    """

    def __init__(self, client: AdminClient, bootstrap: str, *, timeout_s: float) -> None:
        self._client = client
        self._bootstrap = bootstrap
        self._timeout_s = timeout_s

    def broker_ids(self) -> tuple[int, ...]:
        """The ids of the brokers that are up, ascending."""
        described = self._result(self._client.describe_cluster(request_timeout=self._timeout_s), "describe the cluster")
        return tuple(sorted(node.id for node in described.nodes))

    def topics(self, names: Iterable[str] | None = None) -> dict[str, TopicInfo]:
        """The topics of those names that exist; without names, all but Kafka's internal ones."""
        try:
            found = self._client.list_topics(timeout=self._timeout_s).topics
        except KafkaException as refused:
            raise unreachable(refused, self._bootstrap, "list the topics") from None
        wanted = set(found) if names is None else set(found) & set(names)
        if not wanted:
            return {}
        futures = self._client.describe_topics(TopicCollection(sorted(wanted)), request_timeout=self._timeout_s)
        infos = {}
        for name, future in futures.items():
            described = self._result(future, f"describe the topic {name}")
            if names is None and described.is_internal:
                continue
            infos[name] = TopicInfo(
                name=name,
                topic_id=base64.urlsafe_b64decode(f"{described.topic_id}=="),
                partitions=len(described.partitions),
                replication=min(len(partition.replicas) for partition in described.partitions),
            )
        return infos

    def create(self, topics: Sequence[NewTopic]) -> tuple[str, ...]:
        """Make the topics; gives the names that were made. One that exists already stays as it is and is left out."""
        if not topics:
            return ()
        futures = self._client.create_topics(
            [
                _ClientNewTopic(
                    topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=topic.replication,
                    config=dict(topic.configs),
                )
                for topic in topics
            ],
            operation_timeout=self._timeout_s,
            request_timeout=self._timeout_s,
        )
        made = []
        for name, future in futures.items():
            try:
                future.result(self._timeout_s * 2)
            except KafkaException as refused:
                error = error_of(refused)
                if error is not None and error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                raise unreachable(refused, self._bootstrap, f"create the topic {name}") from None
            except FutureTimeoutError:
                raise unreachable(None, self._bootstrap, f"create the topic {name}") from None
            made.append(name)
        return tuple(made)

    def topic_configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Every setting in force for each topic, inherited ones included. The topics must exist."""
        return self._configs(ResourceType.TOPIC, names)

    def broker_configs(self) -> dict[int, dict[str, str]]:
        """Every setting of each broker that is up, by broker id. Passwords come as empty text."""
        found = self._configs(ResourceType.BROKER, map(str, self.broker_ids()))
        return {int(name): configs for name, configs in found.items()}

    def offsets(
        self, partitions: Iterable[Partition], at: At, *, read_committed: bool = False
    ) -> dict[Partition, Offset]:
        """The offset of that place in each partition; with `read_committed`, "latest" is the last stable offset.

        A time finds aborted records and markers too; where there is no such record the offset is -1.
        """
        spec = _spec(at)
        asked = {TopicPartition(topic, number): spec for topic, number in partitions}
        if not asked:
            return {}
        level = IsolationLevel.READ_COMMITTED if read_committed else IsolationLevel.READ_UNCOMMITTED
        futures = self._client.list_offsets(asked, isolation_level=level, request_timeout=self._timeout_s)
        found = {}
        for partition, future in futures.items():
            result = self._result(future, f"list the offsets of {partition.topic}")
            found[partition.topic, partition.partition] = Offset(
                result.offset, None if result.timestamp < 0 else result.timestamp
            )
        return found

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
        """What a consumer group committed; a partition without a commit is left out.

        Offsets of an open transaction are waited for, so that a count is never read before its commit is decided.
        """
        asked = [TopicPartition(topic, number) for topic, number in partitions]
        if not asked:
            return {}
        futures = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, asked)], require_stable=True, request_timeout=self._timeout_s
        )
        result = self._result(futures[group], f"read the offsets of the group {group}")
        return {
            (partition.topic, partition.partition): Committed(partition.offset, partition.metadata or "")
            for partition in result.topic_partitions or ()
            if partition.offset >= 0
        }

    def _configs(self, kind: ResourceType, names: Iterable[str]) -> dict[str, dict[str, str]]:
        asked = [ConfigResource(kind, name) for name in names]
        if not asked:
            return {}
        futures = self._client.describe_configs(asked, request_timeout=self._timeout_s)
        return {
            resource.name: {
                name: entry.value or "" for name, entry in self._result(future, f"describe {resource.name}").items()
            }
            for resource, future in futures.items()
        }

    def _result(self, future: Future[_Result], wanted: str) -> _Result:
        try:
            # Twice the request's own limit: the request answers first, with a reason.
            return future.result(self._timeout_s * 2)
        except KafkaException as refused:
            raise unreachable(refused, self._bootstrap, wanted) from None
        except FutureTimeoutError:
            raise unreachable(None, self._bootstrap, wanted) from None


def _spec(at: At) -> OffsetSpec:
    specs: Any = OffsetSpec  # whose constructors carry no types
    spec: OffsetSpec = specs.for_timestamp(at) if isinstance(at, int) else getattr(specs, at)()
    return spec
