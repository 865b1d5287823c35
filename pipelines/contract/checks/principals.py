"""Checks of principals: the grants that nobody may have together.

Each alone was reviewed; side by side they say more than either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.model import QuarantineTopic, RawTopic, Topic
from pipelines.contract.report import Mistake


def both_ends(draft: Draft) -> Iterator[Mistake]:
    """A principal that can make events and read what becomes of them could look up anybody's handle."""
    if draft.topics is None:
        return
    for topic in draft.topics.minimized.values():
        purpose = topic.name.partition(".")[2]
        feeding = {event.name for event, view in draft.written() if view.topic.partition(".")[2] == purpose}
        for name in sorted(feeding):
            raw = draft.topics.raw.get(f"raw.{name}")
            for principal in sorted(set(raw.producers if raw else ()) & set(topic.consumers)):
                what = f"'{principal}' may produce '{name}' and consume '{purpose}': it could look up anybody's handle."
                yield Mistake(topic.position, what, "Take one of the two away, or use two principals.")


def links_purposes(draft: Draft) -> Iterator[Mistake]:
    """A principal that reads one event in two purposes.

    One transaction carries an event's records to all topics, in one order and number: side by side, two purposes'
    records of one event find each other, and with them the handles that two keys were to keep apart.
    """
    fed: dict[str, set[str]] = {}
    handled: set[str] = set()
    for event, view in draft.written():
        fed.setdefault(view.topic, set()).add(event.name)
        if any(line.action == "handle" for line in view.lines):
            handled.add(view.topic)
    read: dict[str, list[Topic]] = {}
    for topic in sorted(draft.topics.minimized.values() if draft.topics else (), key=lambda topic: topic.name):
        for principal in topic.consumers:
            # The first topic that links is enough to refuse this one: every pair of many would be too much to read.
            for other in read.setdefault(principal, []):
                events = sorted(fed.get(other.name, set()) & fed.get(topic.name, set()))
                if events and _purpose(other) != _purpose(topic) and not handled.isdisjoint((other.name, topic.name)):
                    what = (
                        f"'{principal}' reads '{events[0]}' in '{other.name}' and in '{topic.name}': "
                        "in the order of arrival it could line the two purposes up and join their handles."
                    )
                    remedy = "Give each purpose a principal of its own, or take one grant away."
                    yield Mistake(topic.position, what, remedy)
                    break
            read[principal].append(topic)


def quarantine(draft: Draft) -> Iterator[Mistake]:
    """A reader of quarantine notes that has another end: the notes give exact coordinates of raw events."""
    noted = draft.topics.quarantine if draft.topics else None
    if draft.topics is None or noted is None:
        return
    for principal in sorted(noted.consumers):
        produced = sorted(topic.name for topic in draft.topics.raw.values() if principal in topic.producers)
        consumed = sorted(topic.name for topic in draft.topics.minimized.values() if principal in topic.consumers)
        for verb, names in (("produces to", produced), ("reads", consumed)):
            if names:
                what = f"'{principal}' reads the quarantine and {verb} '{names[0]}': notes give exact coordinates."
                yield Mistake(noted.position, what, "Use a principal that has no other grant.")


def letter_case(draft: Draft) -> Iterator[Mistake]:
    """Two names that a person takes for one: what is refused to one would be granted to the other."""
    first: dict[str, str] = {}
    for topic, principals in _grants(draft):
        for principal in principals:
            known = first.setdefault(principal.lower(), principal)
            if known != principal:
                what = f"'{principal}' and '{known}' differ in nothing but letter case."
                yield Mistake(topic.position, what, "Spell one principal one way, or name two apart.")


def _grants(draft: Draft) -> Iterator[tuple[RawTopic | Topic | QuarantineTopic, tuple[str, ...]]]:
    """Every topic with the principals that it names, in the order of the file."""
    if draft.topics is None:
        return
    grants: list[tuple[RawTopic | Topic | QuarantineTopic, tuple[str, ...]]] = [
        *((topic, topic.producers) for topic in draft.topics.raw.values()),
        *((topic, topic.consumers) for topic in draft.topics.minimized.values()),
    ]
    if draft.topics.quarantine is not None:
        grants.append((draft.topics.quarantine, draft.topics.quarantine.consumers))
    yield from sorted(grants, key=lambda grant: grant[0].position)


def _purpose(topic: Topic) -> str:
    return topic.name.partition(".")[2]


CHECKS: Final = (
    Check("principal-both", "No principal produces an event type and consumes a purpose of its views.", both_ends),
    Check(
        "principal-links-purposes",
        "No principal reads one event type in two purposes, unless neither has handles.",
        links_purposes,
    ),
    Check("principal-quarantine", "Who reads the quarantine produces nothing and reads no other topic.", quarantine),
    Check("principal-case", "No two principals differ in letter case only.", letter_case),
)
