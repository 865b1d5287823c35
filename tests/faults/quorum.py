"""Who leads on an embedded cluster: the active controller, and each partition's leader. Asks; `elect_preferred` moves.

The controller is read from the nodes' own files, since clients of a KRaft cluster are told any broker in its place.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress

from pipelines.broker import AdminClient, EmbeddedKafka, KafkaException
from tests.support.waiting import CALL_S, until

# What each node knows of the quorum, written whenever it learns better (KIP-595, quorum-state).
_QUORUM_STATE = "data/__cluster_metadata-0/quorum-state"


def active_controller(kafka: EmbeddedKafka) -> int:
    """The node that leads the metadata quorum. Waits for the election, while there is none that runs."""

    def elected() -> int | None:
        running = [node_id for node_id, pid in kafka.pids().items() if pid is not None]
        known = [leader for node_id in running if (leader := _leader_as_seen_by(kafka, node_id)) is not None]
        return newest[1] if known and (newest := max(known))[1] in running else None

    leader = until(elected, "an active controller")
    assert leader is not None
    return leader


def leaders(kafka: EmbeddedKafka, topic: str) -> Mapping[int, int]:
    """Each partition's leader, as the brokers tell clients now; -1 for none."""
    metadata = _admin(kafka).list_topics(topic, timeout=CALL_S)
    return {number: partition.leader for number, partition in metadata.topics[topic].partitions.items()}


def in_sync(kafka: EmbeddedKafka, topic: str) -> Mapping[int, frozenset[int]]:
    """Each partition's in-sync replicas, as the brokers tell clients now."""
    metadata = _admin(kafka).list_topics(topic, timeout=CALL_S)
    return {number: frozenset(partition.isrs) for number, partition in metadata.topics[topic].partitions.items()}


def wait_until_led_without(kafka: EmbeddedKafka, topic: str, node_id: int) -> None:
    """Wait until another broker leads each partition that this one led; blocks."""
    until(lambda: node_id not in leaders(kafka, topic).values(), f"leaders other than broker {node_id}")


def elect_preferred(kafka: EmbeddedKafka) -> None:
    """Give every partition of the cluster back to its preferred replica, where that is in sync.

    Kafka does so by itself, but only every five minutes (`leader.imbalance.check.interval.seconds`).
    """
    host, _, port = kafka.bootstrap.split(",")[0].partition(":")
    # ElectLeaders v2 for every partition, with 60 s. By hand: the client's own call raises SystemError, whatever it is
    # given (confluent-kafka 2.16, the format of its arguments lacks a name).
    request = struct.pack(">hhih9sx", 43, 2, 1, 9, b"pipelines") + struct.pack(">bbix", 0, 0, 60_000)
    with socket.create_connection((host, int(port)), timeout=CALL_S) as broker:
        broker.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _exactly(broker, 4))
        answer = _exactly(broker, size)
    # Correlation id, tagged fields, throttle time; then the error.
    _, _, _, error = struct.unpack_from(">ibih", answer)
    assert error == 0, f"the election failed with Kafka's error {error}"


def _leader_as_seen_by(kafka: EmbeddedKafka, node_id: int) -> tuple[int, int] | None:
    """The leader's epoch and id."""
    with suppress(OSError, ValueError):  # not there yet, or being replaced
        state = json.loads((kafka.folder / f"node-{node_id}" / _QUORUM_STATE).read_text(encoding="utf-8"))
        if state["leaderId"] >= 0:
            return int(state["leaderEpoch"]), int(state["leaderId"])
    return None


def _exactly(broker: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = broker.recv(size - len(received))
        assert part, "the broker hung up"
        received += part
    return received


def _admin(kafka: EmbeddedKafka) -> AdminClient:
    client = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})

    def answers() -> bool:
        with suppress(KafkaException):  # a fresh client may try a broker first that is down
            client.list_topics(timeout=5)
            return True
        return False

    until(answers, "an answer of a broker")
    return client


def transaction_coordinator(kafka: EmbeddedKafka, transactional_id: str) -> int:
    """The broker that keeps the state of a producer's transactions."""
    return _coordinator(kafka, "__transaction_state", transactional_id)


def group_coordinator(kafka: EmbeddedKafka, group: str) -> int:
    """The broker that keeps a consumer group's members and offsets."""
    return _coordinator(kafka, "__consumer_offsets", group)


def _coordinator(kafka: EmbeddedKafka, topic: str, name: str) -> int:
    leading = leaders(kafka, topic)
    number = 0
    for character in name:  # Java's String.hashCode, whose lower 31 bits Kafka takes
        number = (number * 31 + ord(character)) & 0xFFFFFFFF
    return leading[(number & 0x7FFFFFFF) % len(leading)]
