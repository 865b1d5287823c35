"""One node of the embedded Kafka: its ports, its folder, and its settings (KRaft, broker and controller in one)."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Node:
    """A node's id (from 1) and its two ports on the loopback interface."""

    id: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        """HOST:PORT for clients."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def voter(self) -> str:
        """This node as the quorum's members know it."""
        return f"{self.id}@{LOOPBACK}:{self.controller_port}"


@dataclass(frozen=True, slots=True)
class Door:
    """A second way into a node, for clients that are to go through a proxy.

    The node listens at `port` and tells the clients that come in there to find it at `advertised_port`, the proxy's.
    """

    port: int
    advertised_port: int


def settings(
    node: Node, nodes: Sequence[Node], data: str, overrides: Mapping[str, str], door: Door | None = None
) -> dict[str, str]:
    """A node's server.properties.

    With three nodes every topic has three replicas, two of which must have a record before it counts as written; with
    one there is nothing to choose. `overrides` win, so that a test may have short timings; they cannot move a
    listener away from the loopback interface, since nobody is asked for a password here.
    """
    listeners, advertised = f"PLAINTEXT://{node.address}", f"PLAINTEXT://{node.address}"
    if door is not None:
        listeners += f",DOOR://{LOOPBACK}:{door.port}"
        advertised += f",DOOR://{LOOPBACK}:{door.advertised_port}"
    replicas, in_sync = (3, 2) if len(nodes) >= 3 else (1, 1)  # noqa: PLR2004
    return {
        "transaction.state.log.num.partitions": "4",
        "offsets.topic.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(in_sync),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),  # from a heap of 512 MB; the default takes 128
        "controlled.shutdown.enable": "true",
        **overrides,
        "process.roles": "broker,controller",
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(each.voter for each in nodes),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,DOOR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": advertised,
        "log.dirs": data,
    }


def free_nodes(count: int, before: Sequence[Node] = ()) -> tuple[Node, ...]:
    """Nodes on ports that are free now; those of `before`, if all of theirs still are."""
    if len(before) == count and all(_is_free(port) for node in before for port in (node.port, node.controller_port)):
        return tuple(before)
    # All are held open until all are known, so that no port is given twice.
    held = [socket.create_server((LOOPBACK, 0)) for _ in range(2 * count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return tuple(Node(number + 1, ports[2 * number], ports[2 * number + 1]) for number in range(count))


def _is_free(port: int) -> bool:
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return False
    return True
