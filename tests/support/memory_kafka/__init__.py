"""A Kafka in this process, for tests of the loops around a client: no socket, no thread, no waiting for brokers.

It stands where a test passes a `pipelines.broker.Cluster`. `tests/kafka_contract` holds it to the real Kafka: each
behaviour that the project rests on is tested on both.

This in-memory Kafka proves nothing about exactly-once delivery on real brokers. It has one broker, one lock, and no
network: no request is sent twice, no answer is lost, no replica falls behind, and a transaction ends on all its
partitions at once. Only tests on real brokers (the marker `broker`) prove that.

Not supported, and refused where a client asks for it: the `consumer` group protocol (KIP-848), automatic commits,
partitioners other than Java's, regular expressions in subscriptions.
"""

from tests.support.memory_kafka.cluster import MemoryCluster

__all__ = ["MemoryCluster"]
