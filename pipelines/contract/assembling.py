"""Assembling: a draft becomes a contract, whole or without what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.contract.digest import digest
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.findings import Position
from pipelines.contract.folder import TOPICS
from pipelines.contract.model import Contract, Event, QuarantineTopic, Topic
from pipelines.contract.topics import Topics, with_late
from pipelines.contract.unread import Unread

_NO_QUARANTINE: Final = QuarantineTopic("", 0, 0, (), Position(TOPICS))


def whole_contract(draft: Draft) -> Contract | None:
    """Return the contract of a draft in which everything was read; None when parts of it do not exist."""
    if draft.topics is None or draft.topics.quarantine is None:
        return None
    events: dict[str, Event] = {}
    for name, event in draft.events.items():
        if event.policy is None or not event.versions or any(view.view is None for view in event.views):
            return None
        events[name] = _event(event)
    topics = _topics(draft.topics, events)
    parts = (events, dict(draft.purposes), topics, dict(draft.topics.raw), draft.topics.quarantine)
    changes = draft.topics.changes
    # A contract without these reviews keeps the policy version that it had before there were any.
    declared = (dict(draft.pipeline_topics),) if draft.pipeline_topics else ()
    return Contract(
        *parts,
        digest=digest(*parts, changes, *declared),
        linkage=draft.linkage,
        changes=changes,
        pipeline_topics=dict(draft.pipeline_topics or {}),
    )


def readable_contract(draft: Draft, unread: Unread) -> Contract | None:
    """Return a contract of what could be read; None when nothing could.

    It has no digest, and a quarantine topic without a name where topics.yaml says none: it is compared and looked at,
    and nothing is relayed by it.
    """
    events = {name: _event(event) for name, event in draft.events.items() if name not in unread.events}
    topics = Topics() if draft.topics is None else draft.topics
    if not (draft.events or draft.purposes or draft.topics):
        return None
    return Contract(
        events,
        dict(draft.purposes),
        _topics(topics, events),
        dict(topics.raw),
        topics.quarantine or _NO_QUARANTINE,
        digest=b"",
        linkage=draft.linkage,
        changes=topics.changes,
        pipeline_topics=dict(draft.pipeline_topics or {}),
    )


def _event(event: EventDraft) -> Event:
    """An event type with the views that could be read."""
    views = tuple(sorted((view.view for view in event.views if view.view is not None), key=lambda view: view.topic))
    return Event(event.name, event.versions, views, () if event.policy is None else event.policy.never)


def _topics(topics: Topics, events: Mapping[str, Event]) -> dict[str, Topic]:
    ttls: dict[str, list[int]] = {}
    for event in events.values():
        for view in event.views:
            if event.raw_topic in topics.raw:
                ttls.setdefault(view.topic, []).append(topics.raw[event.raw_topic].ttl_ms)
    return {name: with_late(topic, ttls.get(name, [])) for name, topic in topics.minimized.items()}
