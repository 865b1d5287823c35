"""What a plan has to say that none of its steps fixes: for a person to know, or to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines import retention
from pipelines.contract.model import Contract
from pipelines.contract.topics import CATEGORIES
from pipelines.retention import TooShort
from pipelines.topics.limits import BATCH_BYTES, BROKERS, LIMITS, brokers_too_small
from pipelines.topics.promise import UNPACKED, Clock, Promise, promises, replicas, settings
from pipelines.topics.risks import risks
from pipelines.topics.spans import span
from pipelines.topics.state import (
    CHECK_INTERVAL,
    CLOCK,
    COMPRESSION,
    MESSAGE_BYTES,
    RETENTION,
    RETENTION_BYTES,
    SEGMENT,
    TIERED,
    ClusterState,
    TopicState,
)

CLUSTER: Final = "(cluster)"
"""Stands where a topic's name would, when no topic of the contract is concerned. No topic can have this name."""
_OURS: Final = frozenset({"raw", *CATEGORIES})
_LISTED: Final = 5
_REMEDIES: Final = {
    RETENTION_BYTES: f"Set {RETENTION_BYTES}=-1 on the topic. Its TTL then decides; see to the disks.",
    MESSAGE_BYTES: f"Set {MESSAGE_BYTES}={BATCH_BYTES} on the topic, or as much as its producers' largest batch needs.",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A thing to know. `code` is one of a closed set; `broken` says that a promise is not kept even after the plan."""

    code: str
    topic: str
    message: str
    remedy: str
    broken: bool = False


def of_topic(promise: Promise, state: ClusterState) -> Iterator[Notice]:
    """The notices of one topic of the contract."""
    topic, wanted = state.topics.get(promise.topic), settings(promise, state.times, len(state.brokers))
    if isinstance(wanted, TooShort):
        yield Notice(
            "ttl-too-short",
            promise.topic,
            f"these brokers cannot keep a TTL of {span(promise.ttl_ms)}: the shortest that they can is "
            f"{span(wanted.shortest_ttl_ms)}",
            f"Lengthen the TTL or shorten `late` in topics.yaml, or shorten {CHECK_INTERVAL} on the brokers.",
            broken=True,
        )
        return
    if topic is None:
        return
    yield from _shape(promise, topic, state)
    for name, value in sorted(topic.settings.items()):
        if name not in wanted and name not in LIMITS | {RETENTION_BYTES}:
            yield _override(promise.topic, name, value)
    for risk in risks(promise, state):
        if risk.setting not in wanted:
            message = f"{risk.setting} is {risk.held}: {risk.message}"
            yield Notice("size-limit", promise.topic, message, _REMEDIES[risk.setting])
    if any(risk.setting == COMPRESSION for risk in risks(promise, state)):
        yield Notice(
            "packed-batches",
            promise.topic,
            f"batches that came while {COMPRESSION} was not {UNPACKED} stay packed on the brokers' disks and may "
            "still be too large for a worker when it unpacks them",
            f"The last is gone {span(promise.ttl_ms)} after apply. Disk use grows: docs/sizing.md says by how much.",
        )
    if promise.clock is Clock.BROKER and any(
        held.value != Clock.BROKER for held in state.in_force(promise.topic, CLOCK)
    ):
        yield Notice(
            "old-times",
            promise.topic,
            f"records that came while {CLOCK} was {Clock.RECORD} keep the times that their producers gave them",
            "After apply, look at the oldest records: `pipelines topics verify`.",
        )
    if promise.purpose is not None and state.readers is not None:
        for reader in sorted(set(state.readers.get(promise.topic, ())) - set(promise.consumers)):
            yield Notice(
                "undeclared-reader",
                promise.topic,
                f"{'everybody' if reader == '*' else reader} may read it by an ACL, but is not a declared consumer",
                "Remove the ACL, or have the consumer reviewed and declared in topics.yaml.",
            )


def around(contract: Contract, state: ClusterState) -> Iterator[Notice]:
    """The notices of the cluster as a whole."""
    for each in brokers_too_small(contract, state):
        remedy = f"Set {each.name}={each.least} or more in every broker's server.properties, and restart the brokers."
        yield Notice("broker-limit", BROKERS, str(each), remedy, broken=True)
    yield from _collisions(contract, state)
    yield from _undeclared(state)
    if state.recorded is None and state.readers is None and state.topics:
        why = "may not be read by this principal" if state.hides_record else "says nothing yet"
        yield Notice(
            "audience-unknown",
            contract.changes.name,
            f"who consumed before is not known: no ACLs can be read, and {contract.changes.name} {why}; so new "
            "consumers of topics that exist are not shown",
            "Read the consumers in topics.yaml; `pipelines diff` compares contracts.",
        )
    yield from _segments(contract, state)


def _collisions(contract: Contract, state: ClusterState) -> Iterator[Notice]:
    """The topics that cannot be created, since Kafka takes no two names that differ in `.` and `_` only."""
    there = {name.replace(".", "_"): name for name in state.undeclared}
    for promise in promises(contract):
        other = there.get(promise.topic.replace(".", "_"))
        if other is not None and promise.topic not in state.topics:
            said = f"it cannot be created: Kafka takes it and the topic {other} that is there for the same name"
            remedy = f"Rename it in the contract, or have {other} deleted by its owner."
            yield Notice("name-collision", promise.topic, said, remedy, broken=True)


def _undeclared(state: ClusterState) -> Iterator[Notice]:
    """The topics that the contract does not have: those named like its own one by one, the rest in one line."""
    others = []
    for name in state.undeclared:
        if name.partition(".")[0] in _OURS and "." in name:
            said = "it is named like a topic of a contract, this one does not declare it, and so no TTL holds for it"
            remedy = (
                "Declare it in topics.yaml if it belongs here. If it is another deployment's, leave it to that one."
            )
            yield Notice("undeclared-topic", name, said, remedy)
        else:
            others.append(name)
    if others:
        more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
        named = ", ".join(others[:_LISTED]) + more
        said = f"{named}: not of this contract, so nothing here looks at them or changes them"
        yield Notice("undeclared-topics", CLUSTER, said, "Nothing to do, if others use this cluster too.")


def _shape(promise: Promise, topic: TopicState, state: ClusterState) -> Iterator[Notice]:
    if topic.partitions is None:
        yield Notice(
            "hidden",
            promise.topic,
            "this principal may see its settings, but not its partitions",
            "Grant DESCRIBE on the topic to plan, and to save a plan.",
        )
    elif topic.partitions > promise.partitions:
        yield Notice(
            "fewer-partitions",
            promise.topic,
            f"it has {topic.partitions} partitions, and Kafka cannot take any away; the contract says "
            f"{promise.partitions}",
            "Say in topics.yaml what is true.",
            broken=True,
        )
    wanted = replicas(len(state.brokers))[0]
    if topic.replication is not None and topic.replication < wanted:
        yield Notice(
            "replicas",
            promise.topic,
            f"a partition has {topic.replication} replica(s), not {wanted}: one lost disk may lose what was taken",
            "Reassign its partitions (kafka-reassign-partitions.sh).",
        )


def _override(topic: str, name: str, value: str) -> Notice:
    remove = f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --delete-config {name}"
    if name == TIERED and value == "true":
        said = "tiered storage takes copies off the brokers' disks: no TTL holds for them"
        return Notice("tiered", topic, said, "Set remote.storage.enable=false with kafka-configs.sh.", broken=True)
    return Notice(
        "undeclared-setting", topic, f"{name}={value} is set on it, and nobody declared that", f"Run {remove}"
    )


def _segments(contract: Contract, state: ClusterState) -> Iterator[Notice]:
    """When so many segments come together that brokers suffer."""
    brokers, total = len(state.brokers), 0
    most = (0, "", "")
    for promise in promises(contract):
        wanted = settings(promise, state.times, brokers)
        if isinstance(wanted, TooShort):
            continue
        each = retention.segments(int(wanted[RETENTION]), int(wanted[SEGMENT]), state.times)
        here = each * promise.partitions * replicas(brokers)[0]
        total += here
        most = max(most, (here, promise.topic, f"{promise.partitions} partitions with {each} segments each"))
    if brokers and retention.too_many(total // brokers):
        yield Notice(
            "segments",
            most[1],
            f"about {total // brokers:,} segments a broker, near what Linux maps by default (vm.max_map_count); most "
            f"of them here: {most[2]}",
            "Fewer partitions, more brokers, or a larger vm.max_map_count.",
        )
