"""Who would lose unread records when more of a topic is deleted than before. Asks for offsets; reads no record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.broker import Admin, Cluster, Partition
from pipelines.retention import FOREVER_MS
from pipelines.topics.state import CLEANUP, RETENTION, SEGMENT, ClusterState, unlimited
from pipelines.topics.steps import Step


@dataclass(frozen=True, slots=True)
class Loss:
    """A group that has yet to read `records` of a topic which would be deleted, of `lag` altogether."""

    group: str
    topic: str
    records: int
    lag: int

    def __str__(self) -> str:
        return f"{self.group} has {self.lag:,} records of {self.topic} to read, {self.records:,} of which would go"


def losses(steps: Iterable[Step], state: ClusterState, cluster: Cluster, now_ms: int) -> list[Loss]:
    """The losses that these steps would cause in a cluster in this state.

    Raises:
        Trouble: (exit 3) the cluster does not tell.
    """
    cuts = _cuts(steps, state)
    if not cuts:
        return []
    admin, groups = cluster.admin(), cluster.survey().groups()
    found = []
    for topic, retention_ms in cuts.items():
        partitions = [(topic, number) for number in range(state.topics[topic].partitions or 0)]
        limits, ends = _limits(admin, partitions, now_ms - retention_ms), admin.offsets(partitions, "latest")
        starts = admin.offsets(partitions, "earliest")
        for group in groups:
            committed = admin.committed(group, partitions)
            # What the log's start has passed is lost already.
            reading = {each: max(place.offset, starts[each].offset) for each, place in committed.items()}
            lost = sum(max(0, limits[each] - offset) for each, offset in reading.items())
            if lost:
                lag = sum(max(0, ends[each].offset - offset) for each, offset in reading.items())
                found.append(Loss(group, topic, lost, lag))
    return found


def _cuts(steps: Iterable[Step], state: ClusterState) -> dict[str, int]:
    """Topic → the shortest `retention.ms` on the way, where what is older may still be there and would go.

    So where that is shorter than what is in force; where segments are cut, which held it longer; and where nothing was
    deleted before, only compacted.
    """
    cuts: dict[str, int] = {}
    for step in steps:
        if step.kind == "set" and any(
            _deletes(step.topic, name, value, state) for name, value in step.settings.items()
        ):
            kept_ms = unlimited(state.longest(step.topic, RETENTION).value)
            wanted_ms = int(step.settings.get(RETENTION, kept_ms))
            cuts[step.topic] = min(kept_ms, wanted_ms, cuts.get(step.topic, kept_ms))
    return {topic: kept_ms for topic, kept_ms in cuts.items() if kept_ms < FOREVER_MS}


def _deletes(topic: str, name: str, value: str, state: ClusterState) -> bool:
    """Whether a topic's setting makes Kafka delete what it did not before."""
    if name == CLEANUP:
        return any(held.value != value for held in state.in_force(topic, name))
    return name in {RETENTION, SEGMENT} and unlimited(value) < unlimited(state.longest(topic, name).value)


def _limits(admin: Admin, partitions: list[Partition], limit_ms: int) -> Mapping[Partition, int]:
    """The first offset of each partition that is not older than the limit; its end when all is older."""
    found, ends = admin.offsets(partitions, max(0, limit_ms)), admin.offsets(partitions, "latest")
    return {each: place.offset if place.offset >= 0 else ends[each].offset for each, place in found.items()}
