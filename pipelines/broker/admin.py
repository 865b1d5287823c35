"""What a cluster holds: topics, their settings, offsets and groups; and making topics. Never deletes, never alters.

Every call waits a bounded time and turns Kafka's errors into `Trouble` (exit 3). No call reads a record.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package has no __all__
    ConfigResource,
    ConfigSource,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka.admin import NewTopic as _ClientNewTopic  # type: ignore[attr-defined]

from pipelines.broker.answers import At, Committed, NewTopic, Offset, Partition, Place, Setting, Source, TopicInfo
from pipelines.broker.asking import Asking
from pipelines.broker.committed import CommittedOffsets
from pipelines.broker.passing import error_of
from pipelines.broker.unreachable import unreachable

# The controller refuses a request that needs more than 10,000 metadata records (POLICY_VIOLATION): one for each topic,
# partition and setting.
_RECORDS_A_REQUEST: Final = 5_000
_SOURCES: Final = {
    ConfigSource.DYNAMIC_TOPIC_CONFIG.value: Source.TOPIC,
    ConfigSource.DYNAMIC_BROKER_CONFIG.value: Source.BROKER,
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG.value: Source.CLUSTER,
    ConfigSource.STATIC_BROKER_CONFIG.value: Source.FILE,
    ConfigSource.DEFAULT_CONFIG.value: Source.DEFAULT,
}


class Admin:
    """The cluster's administration. Safe to use from several threads.

    Every method raises `Trouble` (exit 3) when the cluster does not answer in time or refuses.

    Args:
        asking: the client's own administration, and how long a call may wait.
        offsets: reads what groups committed.
    """

    def __init__(self, asking: Asking, offsets: CommittedOffsets) -> None:
        self._asking = asking
        self._client = asking.client
        self._offsets = offsets
        self._bootstrap = asking.bootstrap
        self._timeout_s = asking.timeout_s

    def broker_ids(self) -> tuple[int, ...]:
        """The ids of the brokers that are up, ascending."""
        asked = self._asking.ask(
            lambda within_s: {None: self._client.describe_cluster(request_timeout=within_s)}, "describe the cluster"
        )
        return tuple(sorted(node.id for node in asked[None].nodes))

    def topics(self, names: Iterable[str] | None = None) -> dict[str, TopicInfo]:
        """The topics of those names that exist; without names, all but Kafka's internal ones."""
        wanted = None if names is None else set(names)
        # The names are asked for anew in each try: a topic may go between their list and its description.
        described = self._asking.ask(lambda within_s: self._describe(wanted, within_s), "describe the topics")
        return {
            name: TopicInfo(
                name=name,
                topic_id=base64.urlsafe_b64decode(f"{topic.topic_id}=="),
                partitions=len(topic.partitions),
                replication=min(len(partition.replicas) for partition in topic.partitions),
                places=tuple(
                    Place(
                        partition.id,
                        None if partition.leader is None or partition.leader.id < 0 else partition.leader.id,
                        tuple(node.id for node in partition.replicas),
                        tuple(node.id for node in partition.isr),
                    )
                    for partition in topic.partitions
                ),
            )
            for name, topic in described.items()
            if wanted is not None or not topic.is_internal
        }

    def create(self, topics: Sequence[NewTopic]) -> tuple[str, ...]:
        """Make the topics and wait until they are known; one that exists stays as it is.

        Gives the names of those that were made.
        """
        made = [name for batch in _batches(topics) for name in self._create(batch)]
        if not made:
            return ()
        self._wait_until_known(made)
        return tuple(made)

    def _create(self, topics: Sequence[NewTopic]) -> Iterator[str]:
        asked = [
            _ClientNewTopic(each.name, each.partitions, each.replication, config=dict(each.configs)) for each in topics
        ]
        limits = {"operation_timeout": self._timeout_s, "request_timeout": self._timeout_s}
        for name, future in self._client.create_topics(asked, **limits).items():
            try:
                future.result(2 * self._timeout_s)
            except KafkaException as refused:
                error = error_of(refused)
                if error is not None and error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                raise unreachable(refused, self._bootstrap, f"create the topic {name}", administrative=True) from None
            except FutureTimeoutError:
                raise unreachable(None, self._bootstrap, f"create the topic {name}") from None
            yield name

    def topic_settings(self, names: Iterable[str]) -> dict[str, dict[str, Setting]]:
        """Every setting in force for each topic, inherited ones included. The topics must exist."""
        return self._settings(ResourceType.TOPIC, names)

    def topic_configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """The values of `topic_settings`."""
        return {topic: _values(settings) for topic, settings in self.topic_settings(names).items()}

    def broker_settings(self) -> dict[int, dict[str, Setting]]:
        """Every setting of each broker that is up, by broker id. Passwords come as empty text."""
        # A request goes to the broker that it asks about, so it may ask about one only.
        return {number: self._settings(ResourceType.BROKER, [str(number)])[str(number)] for number in self.broker_ids()}

    def broker_configs(self) -> dict[int, dict[str, str]]:
        """The values of `broker_settings`."""
        return {number: _values(settings) for number, settings in self.broker_settings().items()}

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
        found = self._asking.ask(
            lambda within_s: self._client.list_offsets(asked, isolation_level=level, request_timeout=within_s),
            "list the offsets",
            {partition.topic for partition in asked},
        )
        return {
            (partition.topic, partition.partition): Offset(
                result.offset, None if result.timestamp < 0 else result.timestamp
            )
            for partition, result in found.items()
        }

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
        """What a consumer group committed; a partition without a commit is left out.

        Offsets that an open transaction holds are waited for longer than other answers.
        """
        return self._offsets.of(group, partitions)

    def last_committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
        """The same without waiting for an open transaction: what was committed before it."""
        return self._offsets.last(group, partitions)

    def _describe(self, wanted: set[str] | None, within_s: float) -> Mapping[str, Future[Any]]:
        names = set(self._client.list_topics(timeout=within_s).topics)
        asked = TopicCollection(sorted(names if wanted is None else names & wanted))
        if not asked.topic_names:
            return {}
        answers: Mapping[str, Future[Any]] = self._client.describe_topics(asked, request_timeout=within_s)
        return answers

    def _names(self) -> set[str]:
        ask = self._asking.patiently
        return set(ask(lambda within_s: self._client.list_topics(timeout=within_s), "list the topics").topics)

    def _wait_until_known(self, names: Sequence[str]) -> None:
        deadline = time.monotonic() + self._timeout_s
        while not self._names() >= set(names):
            if time.monotonic() > deadline:
                raise unreachable(None, self._bootstrap, "see the new topics")
            time.sleep(self._asking.pause_s)

    def _settings(self, kind: ResourceType, names: Iterable[str]) -> dict[str, dict[str, Setting]]:
        asked = [ConfigResource(kind, name) for name in names]
        if not asked:
            return {}
        found = self._asking.ask(
            lambda within_s: self._client.describe_configs(asked, request_timeout=within_s), "describe the settings"
        )
        return {
            resource.name: {
                name: Setting(entry.value or "", _SOURCES.get(entry.source, Source.UNKNOWN))
                for name, entry in entries.items()
            }
            for resource, entries in found.items()
        }


def _batches(topics: Sequence[NewTopic]) -> Iterator[Sequence[NewTopic]]:
    """Cut the topics into requests that the controller takes."""
    begin, records = 0, 0
    for end, topic in enumerate(topics):
        needed = 1 + topic.partitions + len(topic.configs)
        if records + needed > _RECORDS_A_REQUEST and end > begin:
            yield topics[begin:end]
            begin, records = end, 0
        records += needed
    if begin < len(topics):
        yield topics[begin:]


def _values(settings: Mapping[str, Setting]) -> dict[str, str]:
    return {name: setting.value for name, setting in settings.items()}


def _spec(at: At) -> OffsetSpec:
    specs: Any = OffsetSpec  # whose constructors carry no types
    spec: OffsetSpec = specs.for_timestamp(at) if isinstance(at, int) else getattr(specs, at)()
    return spec
