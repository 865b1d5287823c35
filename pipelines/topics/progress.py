"""How much of a plan is made in a cluster: nothing, a part (an apply was broken off), all; or something else. Pure.

A topic's steps are made in their order, so a topic is somewhere on its own way from what it was when the plan was made
to what it is when the plan is done. A topic that is nowhere on that way was changed by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.topics.planning import Plan
from pipelines.topics.state import ClusterState, TopicState
from pipelines.topics.steps import Step, after


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps that are made, those that are left, and what is on nobody's way (in words; empty: all is well)."""

    done: tuple[Step, ...]
    left: tuple[Step, ...]
    changed: tuple[str, ...]


def progress(planned: Plan, now: ClusterState) -> Progress:
    """How a cluster stands to a plan. The step that records the audience is left until the caller has made it."""
    done, left = list[Step](), list[Step]()
    changed = list(_around(planned.state, now))
    for topic in sorted(planned.state.topics.keys() | now.topics.keys() | {step.topic for step in planned.steps}):
        steps = [step for step in planned.steps if step.topic == topic and step.kind != "record"]
        place = _place(planned.state.topics.get(topic), steps, now.topics.get(topic))
        if place is None:
            changed += _differences(topic, planned.state.topics.get(topic), now.topics.get(topic))
        else:
            done += steps[:place]
            left += steps[place:]
    order = {id(step): number for number, step in enumerate(planned.steps)}
    left += [step for step in planned.steps if step.kind == "record"]
    return Progress(
        tuple(sorted(done, key=lambda step: order[id(step)])),
        tuple(sorted(left, key=lambda step: order[id(step)])),
        tuple(changed),
    )


def _place(was: TopicState | None, steps: list[Step], now: TopicState | None) -> int | None:
    """How many of a topic's steps are made; None if it is nowhere on its way."""
    topic = was
    ways = [topic] + [topic := after(topic, step) for step in steps]
    return next((place for place in reversed(range(len(ways))) if ways[place] == now), None)


def _around(was: ClusterState, now: ClusterState) -> Iterator[str]:
    if was.initial_delay_ms != now.initial_delay_ms:
        yield f"--initial-delay was {was.initial_delay_ms}, is {now.initial_delay_ms}"
    if was.brokers.keys() != now.brokers.keys():
        yield f"the brokers were {_listed(was)}, are {_listed(now)}"
        return
    for number, settings in was.brokers.items():
        for name in sorted(settings.keys() | now.brokers[number].keys()):
            before, after_ = settings.get(name), now.brokers[number].get(name)
            if before != after_:
                yield f"{name} of broker {number} was {_value(before)}, is {_value(after_)}"


def _differences(topic: str, was: TopicState | None, now: TopicState | None) -> Iterator[str]:
    if was is None or now is None:
        yield f"{topic} {'is gone' if now is None else 'was made, and not as planned'}"
        return
    for name in ("partitions", "replication"):
        before, after_ = getattr(was, name), getattr(now, name)
        if before != after_:
            yield f"{topic}: {name} were {before}, are {after_}"
    for name in sorted(was.settings.keys() | now.settings.keys()):
        before, after_ = was.settings.get(name, "not set"), now.settings.get(name, "not set")
        if before != after_:
            yield f"{topic}: {name} was {before}, is {after_}"


def _listed(state: ClusterState) -> str:
    return ", ".join(map(str, sorted(state.brokers)))


def _value(setting: object) -> str:
    return "not set" if setting is None else str(getattr(setting, "value", setting))
