"""The only door to Kafka's client library: clients, administration, and a Kafka to have on this machine.

Other rooms take the client's names from here. Nothing here knows the contract, and nothing here logs, prints or keeps
a record's bytes.
"""

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from pipelines.broker.admin import Admin
from pipelines.broker.admin_client import AdminClient
from pipelines.broker.answers import (
    At,
    Committed,
    Grant,
    NewTopic,
    Offset,
    Partition,
    Place,
    Setting,
    Source,
    TopicInfo,
)
from pipelines.broker.changer import Changer
from pipelines.broker.cluster import Cluster
from pipelines.broker.embedded import EmbeddedKafka, find_running
from pipelines.broker.node import Door
from pipelines.broker.passing import error_of, passes
from pipelines.broker.reading import headers_of, records
from pipelines.broker.survey import Survey
from pipelines.broker.unreachable import SilentClusterError, unreachable
from pipelines.broker.versions import LEAST_KAFKA, too_old

__all__ = [
    "LEAST_KAFKA",
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "OFFSET_INVALID",
    "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME",
    "Admin",
    "AdminClient",
    "At",
    "Changer",
    "Cluster",
    "Committed",
    "Consumer",
    "Door",
    "EmbeddedKafka",
    "Grant",
    "KafkaError",
    "KafkaException",
    "Message",
    "NewTopic",
    "Offset",
    "Partition",
    "Place",
    "Producer",
    "Setting",
    "SilentClusterError",
    "Source",
    "Survey",
    "TopicInfo",
    "TopicPartition",
    "error_of",
    "find_running",
    "headers_of",
    "passes",
    "records",
    "too_old",
    "unreachable",
]
