"""Checks of access: topics and purposes fit together, and with what the schemas and policies say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.report import Mistake, meant, shown


def topic_unknown(draft: Draft) -> Iterator[Mistake]:
    """A view for a topic that topics.yaml does not have."""
    known = draft.topics.minimized_names if draft.topics else None
    for event in draft.events.values():
        for view in event.policy.views if event.policy else ():
            if known is not None and view.topic not in known:
                what = f"There is no topic {shown(view.topic)}.{meant(view.topic, known)}"
                yield Mistake(view.position, what, "Add it to topics.yaml with a TTL and its basis, or fix the name.")


def purpose_unknown(draft: Draft) -> Iterator[Mistake]:
    """A topic for a purpose that nobody reviewed."""
    for topic in draft.topics.minimized.values() if draft.topics else ():
        purpose = topic.name.partition(".")[2]
        if draft.purpose_names is not None and purpose not in draft.purpose_names:
            what = f"There is no purpose '{purpose}'.{meant(purpose, draft.purpose_names)}"
            yield Mistake(topic.position, what, "Add it to policies/purposes.yaml with a review, or fix the name.")


def raw_topic_missing(draft: Draft) -> Iterator[Mistake]:
    """An event type without a topic to enter by."""
    for event in draft.events.values():
        if draft.topics is not None and event.versions and f"raw.{event.name}" not in draft.topics.raw_names:
            what = f"There is no raw topic 'raw.{event.name}' in topics.yaml."
            yield Mistake(event.versions[-1].position, what, "Add it there with a TTL, partitions and producers.")


def raw_topic_unknown(draft: Draft) -> Iterator[Mistake]:
    """A raw topic for an event type that has no schema."""
    for topic in draft.topics.raw.values() if draft.topics else ():
        if topic.event not in draft.events:
            what = f"There is no raw schema of '{topic.event}'.{meant(topic.event, draft.events)}"
            yield Mistake(topic.position, what, "Add the schema or remove the topic.")


def topic_without_view(draft: Draft) -> Iterator[Mistake]:
    """A topic that nothing is ever written to."""
    used = {view.topic for event in draft.events.values() if event.policy for view in event.policy.views}
    used |= {topic for _, topic in draft.unread.views}
    # An event type of whose views nothing at all is known may feed any topic.
    unknown = draft.unread.events - {event for event, _ in draft.unread.views}
    for topic in draft.topics.minimized.values() if draft.topics and not unknown else ():
        if topic.name not in used:
            yield Mistake(topic.position, f"No view feeds '{topic.name}'.", "Remove the topic, or add the view.")


def purpose_without_topic(draft: Draft) -> Iterator[Mistake]:
    """A purpose that receives nothing."""
    if draft.topics is None:
        return
    used = {name.partition(".")[2] for name in draft.topics.minimized_names}
    for purpose in draft.purposes.values():
        if purpose.name not in used:
            yield Mistake(purpose.position, f"'{purpose.name}' has no topic.", "Remove the purpose, or add its topic.")


CHECKS: Final = (
    Check("topic-unknown", "Every view's topic is in topics.yaml.", topic_unknown),
    Check("purpose-unknown", "Every topic's purpose is in policies/purposes.yaml.", purpose_unknown),
    Check("raw-topic-missing", "Every event type has a raw topic.", raw_topic_missing),
    Check("raw-topic-unknown", "Every raw topic has a raw schema.", raw_topic_unknown),
    warning("topic-without-view", "Every topic has a view.", topic_without_view),
    warning("purpose-without-topic", "Every purpose has a topic.", purpose_without_topic),
)
