"""Which of Kafka's errors end by themselves, so that a read-only request is worth making again.

The local codes are those that librdkafka 2.16 gives an admin request (`rdkafka_admin.c`, and what that calls):
its metadata cache does not know a topic or a leader at this moment, or the connection went away with the request.
Left out on purpose: `_ALL_BROKERS_DOWN` comes to the error callback and to a consumer's blocking calls alone;
`_WAIT_CACHE` and `_IN_PROGRESS` never leave the cache; `_UNKNOWN_TOPIC` is about subscriptions; `_AUTHENTICATION` and
`_SSL` need a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from confluent_kafka import KafkaError, KafkaException

PASSING: Final[Mapping[int, str]] = MappingProxyType(
    {
        # librdkafka's own, whose names begin with an underscore
        KafkaError._NOENT: "the client's cache has no leader of any partition asked for: elected now, or a new topic",  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION: "the client's cache has the topic, with fewer partitions: they were just added",  # noqa: SLF001
        KafkaError._WAIT_COORD: "the client looks for the group's coordinator",  # noqa: SLF001
        KafkaError._TRANSPORT: "the connection to a broker went away, or there is none yet",  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE: "another request on the same connection timed out, and this one was not sent",  # noqa: SLF001
        KafkaError._DESTROY_BROKER: "the broker left the cluster while the request was on its way",  # noqa: SLF001
        KafkaError._PARTIAL: "a broker that just started named no brokers in its metadata",  # noqa: SLF001
        KafkaError._RESOLVE: "a broker's host name cannot be resolved, as while its container starts again",  # noqa: SLF001
        # the brokers'
        KafkaError.UNKNOWN_TOPIC_OR_PART: "the broker asked does not know a new topic yet",
        KafkaError.LEADER_NOT_AVAILABLE: "the partition's leader is being elected",
        KafkaError.NOT_LEADER_FOR_PARTITION: "the leader moved, and the client asked the one before",
        KafkaError.REPLICA_NOT_AVAILABLE: "the broker is still taking the partition over",
        KafkaError.OFFSET_NOT_AVAILABLE: "a new leader does not know the high watermark yet (KIP-207)",
        KafkaError.FENCED_LEADER_EPOCH: "the client's leader epoch is older than the broker's (KIP-320)",
        KafkaError.UNKNOWN_LEADER_EPOCH: "the client's leader epoch is newer than the broker's (KIP-320)",
        KafkaError.KAFKA_STORAGE_ERROR: "a disk of the leader failed, and another replica becomes the leader",
        KafkaError.BROKER_NOT_AVAILABLE: "the broker is starting or stopping",
        KafkaError.NETWORK_EXCEPTION: "the broker lost its connection to another one",
        KafkaError.REQUEST_TIMED_OUT: "the broker waited in vain for another one",
        KafkaError.COORDINATOR_NOT_AVAILABLE: "the group's coordinator is being elected",
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS: "the group's coordinator reads its log",
        KafkaError.NOT_COORDINATOR: "the group's coordinator moved",
    }
)
"""Error code → what is going on."""


def error_of(exception: KafkaException) -> KafkaError | None:
    """Return the KafkaError inside an exception, or None."""
    return next((arg for arg in exception.args if isinstance(arg, KafkaError)), None)


def passes(error: KafkaError) -> bool:
    """Return whether an error ends by itself."""
    return error.code() in PASSING
