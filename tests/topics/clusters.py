"""Clusters as values: one that a plan was applied to, and changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipelines.contract.model import Contract
from pipelines.topics.latecomers import left_behind
from pipelines.topics.planning import plan
from pipelines.topics.record import audience
from pipelines.topics.state import USUAL, ClusterState
from pipelines.topics.steps import Step, after


def made(state: ClusterState, *steps: Step) -> ClusterState:
    """The cluster after these steps."""
    topics = dict(state.topics)
    for step in steps:
        if (topic := after(topics.get(step.topic), step)) is not None:
            topics[step.topic] = topic
    return replace(state, topics=topics)


def applied(contract: Contract, state: ClusterState | None = None, at_ms: int = 0) -> ClusterState:
    """The cluster after the plan for this contract was applied; from nothing, one broker with Kafka's own settings."""
    state = ClusterState({1: USUAL}, {}) if state is None else state
    steps = plan(contract, state).steps
    late = {
        topic: replace(each, until_ms=at_ms if each.until_ms is None else each.until_ms)
        for topic, each in left_behind(contract, state).items()
    }
    return replace(made(state, *steps), recorded=audience(contract), latecomers=late)


def changed(state: ClusterState, topic: str, settings: Mapping[str, str | None]) -> ClusterState:
    """The cluster after somebody set, or with None took away, settings of a topic."""
    own = {**state.topics[topic].settings, **settings}
    left = {name: value for name, value in own.items() if value is not None}
    return replace(state, topics={**state.topics, topic: replace(state.topics[topic], settings=left)})
