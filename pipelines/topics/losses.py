"""Who would lose unread records when a topic's retention is cut. Asks for offsets; reads no record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.broker import Admin, Cluster, Partition
from pipelines.topics.state import RETENTION, ClusterState, unlimited
from pipelines.topics.steps import Step


@dataclass(frozen=True, slots=True)
class Loss:
    """A group that has yet to read `records` of a topic which the cut retention would delete, of `lag` altogether."""

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
    """Topic → its new `retention.ms`, where that is shorter than what is in force."""
    wanted = {
        step.topic: int(step.settings[RETENTION]) for step in steps if step.kind == "set" and RETENTION in step.settings
    }
    return {
        topic: retention_ms
        for topic, retention_ms in wanted.items()
        if retention_ms < unlimited(state.longest(topic, RETENTION).value)
    }


def _limits(admin: Admin, partitions: list[Partition], limit_ms: int) -> Mapping[Partition, int]:
    """The first offset of each partition that is not older than the limit; its end when all is older."""
    found, ends = admin.offsets(partitions, max(0, limit_ms)), admin.offsets(partitions, "latest")
    return {each: place.offset if place.offset >= 0 else ends[each].offset for each, place in found.items()}
