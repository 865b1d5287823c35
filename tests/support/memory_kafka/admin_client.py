"""A client in place of confluent_kafka's `AdminClient`, so that the product's own `Admin` runs on the in-memory broker.

Every answer is there at once. The arguments that say how long to wait are taken and passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AclOperation, ConfigResource, ConfigSource, ResourceType

from tests.support.memory_kafka.broker import Broker
from tests.support.memory_kafka.errors import failure
from tests.support.memory_kafka.topics import BROKER_ONLY, INHERITED

_BROKER_ID = 1
_NODE = SimpleNamespace(id=_BROKER_ID)
_EARLIEST, _LATEST = -2, -1  # as ListOffsets and OffsetSpec have them
_Answer = TypeVar("_Answer")


class MemoryAdminClient:
    """Those requests that the project makes. A refused part of a request is a future with the exception."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def describe_cluster(self, **_: object) -> Future[Any]:
        """One broker, which lets everybody do everything."""
        return self._future(
            lambda: SimpleNamespace(nodes=[_NODE], authorized_operations=[AclOperation.DESCRIBE, AclOperation.ALTER])
        )

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """Metadata: the topics, and their partitions."""
        del timeout
        with self._broker.request():
            topics = {
                each.name: SimpleNamespace(topic=each.name, partitions=dict.fromkeys(range(len(each.partitions))))
                for each in self._broker.topics.values()
                if topic in {None, each.name}
            }
        return SimpleNamespace(topics=topics, brokers={_BROKER_ID: _NODE})

    def describe_topics(self, topics: Any, **_: object) -> Mapping[str, Future[Any]]:
        """Ids and partitions."""
        return {name: self._future(lambda name=name: self._describe_topic(name)) for name in topics.topic_names}

    def create_topics(self, topics: Sequence[Any], **_: object) -> Mapping[str, Future[Any]]:
        """Create topics; one that exists is refused."""
        return {
            each.topic: self._future(
                lambda each=each: self._broker.create_topic(each.topic, each.num_partitions, each.config or {})
            )
            for each in topics
        }

    def describe_configs(self, resources: Iterable[ConfigResource], **_: object) -> Mapping[Any, Future[Any]]:
        """Settings of topics and of the broker."""
        return {each: self._future(lambda each=each: self._settings(each)) for each in resources}

    def list_offsets(
        self, partitions: Mapping[TopicPartition, Any], isolation_level: Any = None, **_: object
    ) -> Mapping[TopicPartition, Future[Any]]:
        """The log's start or end, the last stable offset, or the first record of a time."""
        committed = isolation_level == IsolationLevel.READ_COMMITTED
        return {
            each: self._future(lambda each=each, spec=spec: self._offset(each, spec._value, committed=committed))
            for each, spec in partitions.items()
        }

    def delete_records(self, partitions: Iterable[TopicPartition], **_: object) -> Mapping[Any, Future[Any]]:
        """Move the logs' starts."""
        return {
            each: self._future(
                lambda each=each: self._broker.log((each.topic, each.partition)).delete_before(each.offset)
            )
            for each in partitions
        }

    def describe_acls(self, _filter: object, **_: object) -> Future[Any]:
        """There is no authorizer, of which the real client says that there are no ACLs."""
        return self._future(list)

    def _future(self, answer: Callable[[], _Answer]) -> Future[_Answer]:
        future: Future[_Answer] = Future()
        try:
            with self._broker.request():
                future.set_result(answer())
        except KafkaException as refused:
            future.set_exception(refused)
        return future

    def _describe_topic(self, name: str) -> Any:
        topic = self._broker.topics.get(name)
        if topic is None:
            raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
        partitions = [
            SimpleNamespace(id=number, leader=_NODE, replicas=[_NODE], isr=[_NODE])
            for number in range(len(topic.partitions))
        ]
        return SimpleNamespace(topic_id=topic.id, partitions=partitions, is_internal=False)

    def _settings(self, resource: ConfigResource) -> Mapping[str, Any]:
        if resource.restype is ResourceType.BROKER:
            inherited = {broker: value for broker, value in INHERITED.values() if broker}
            return {
                name: _setting(value, ConfigSource.DEFAULT_CONFIG)
                for name, value in ({**BROKER_ONLY, **inherited}).items()
            }
        topic = self._broker.topics.get(resource.name)
        if topic is None:
            raise failure(KafkaError.UNKNOWN_TOPIC_OR_PART)
        own = {name: _setting(value, ConfigSource.DYNAMIC_TOPIC_CONFIG) for name, value in topic.settings.items()}
        return {name: _setting(value, ConfigSource.DEFAULT_CONFIG) for name, (_, value) in INHERITED.items()} | own

    def _offset(self, partition: TopicPartition, spec: int, *, committed: bool) -> Any:
        log = self._broker.log((partition.topic, partition.partition))
        if spec in {_EARLIEST, _LATEST}:
            return SimpleNamespace(
                offset=log.start if spec == _EARLIEST else log.limit(committed=committed), timestamp=-1
            )
        record = log.at_time(spec)
        if record is None:
            return SimpleNamespace(offset=-1, timestamp=-1)
        return SimpleNamespace(offset=record.offset, timestamp=record.timestamp[1])


def _setting(value: str, source: ConfigSource) -> Any:
    return SimpleNamespace(value=value, source=source.value)
