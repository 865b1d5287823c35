"""The steps that make a topic what it should be, in an order in which no record ever lives longer than it must. Pure.

1. What shortens lives comes first, `segment.ms` before the rest: the sooner segments roll, the sooner the shorter
   retention finds something that it may delete.
2. What lengthens them comes last, in one change.

So the worst case never rises above the greater of those before and after (a property test holds it), and a plan that is
broken off between two steps leaves a topic that keeps records no longer than it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.topics.promise import Promise
from pipelines.topics.state import LENGTHS, SEGMENT, ClusterState, TopicState, unlimited

Kind = Literal["create", "set", "partitions", "record"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one topic, made whole or not at all.

    `create` makes the topic with `partitions`, `replication` and `settings`; `set` sets the `settings`; `partitions`
    raises their number. `record` writes down which consumers each topic has, in the topic of changes. `before` holds
    the topic's own values of what is set (empty: not set), or its number of partitions.
    """

    kind: Kind
    topic: str
    settings: Mapping[str, str]
    before: Mapping[str, str]
    partitions: int | None = None
    replication: int | None = None


def creating(promise: Promise, settings: Mapping[str, str], replication: int) -> Step:
    """The step that makes a topic."""
    return Step("create", promise.topic, settings, {}, promise.partitions, replication)


def setting(topic: str, wanted: Mapping[str, str], state: ClusterState) -> Iterator[Step]:
    """The steps that give an existing topic the wanted settings, where it has others of its own, or none."""
    own = state.topics[topic].settings
    changed = {name: value for name, value in wanted.items() if own.get(name) != value}
    growing = {name for name in LENGTHS if name in changed and grows(topic, name, changed[name], state)}
    cut = {SEGMENT} & (changed.keys() - growing)
    for names in (cut, changed.keys() - growing - cut, growing):
        now = {name: value for name, value in changed.items() if name in names}
        if now:
            yield Step("set", topic, now, {name: own.get(name, "") for name in now})


def spreading(promise: Promise, topic: TopicState) -> Iterator[Step]:
    """The step that adds partitions, if there are too few."""
    if topic.partitions is not None and topic.partitions < promise.partitions:
        yield Step("partitions", promise.topic, {}, {"partitions": str(topic.partitions)}, promise.partitions)


def after(topic: TopicState | None, step: Step) -> TopicState | None:
    """What the topic is when the step is done."""
    match step.kind:
        case "create":
            return TopicState(step.partitions, step.replication, dict(step.settings))
        case "set" if topic is not None:
            return replace(topic, settings={**topic.settings, **step.settings})
        case "partitions" if topic is not None:
            return replace(topic, partitions=step.partitions)
        case _:
            return topic


def grows(topic: str, name: str, value: str, state: ClusterState) -> bool:
    """Whether this value of one of `LENGTHS` is longer than what is in force for the topic."""
    held = state.in_force(topic, name)
    return bool(held) and unlimited(value) > max(unlimited(each.value) for each in held)
