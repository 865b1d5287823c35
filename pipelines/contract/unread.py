"""Unread: which parts of a contract could not be read, by name. Checks leave out what only follows from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipelines.contract.folder import DERIVED, LINKAGE
from pipelines.contract.topics import NO_LATE

if TYPE_CHECKING:
    from pipelines.contract.draft import Draft, EventDraft

QUARANTINE: Final = "quarantine"
_ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read of a contract's files. Empty for a contract without such errors.

    Attributes:
        events: event types without a readable policy, or with a raw schema that could not be read: none of their views
            is known.
        views: (event type, topic) of each view that could not be read. For an event type in `events` these are the
            views that its policy or its committed derived schemas name.
        purposes: names of purposes; `*` when policies/purposes.yaml could not be read at all.
        topics: names of minimized and raw topics, and `quarantine`; `*` when topics.yaml could not be read at all.
        late: minimized topics whose default `late` depends on a raw topic or a view that could not be read.
        linkage: policies/linkage.yaml has an error.
    """

    events: frozenset[str] = frozenset()
    views: frozenset[tuple[str, str]] = frozenset()
    purposes: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    linkage: bool = False

    def __bool__(self) -> bool:
        """Whether anything could not be read."""
        return bool(self.events or self.views or self.purposes or self.topics or self.late or self.linkage)

    def has_view(self, event: str, topic: str) -> bool:
        """Whether a view is known to be unread, or may be, since nothing of its event type's views is known."""
        return event in self.events or (event, topic) in self.views

    def has_topic(self, name: str) -> bool:
        """Whether what topics.yaml says of a topic could not be read."""
        return not self.topics.isdisjoint((_ALL, name))

    def has_purpose(self, name: str) -> bool:
        """Whether what policies/purposes.yaml says of a purpose could not be read."""
        return not self.purposes.isdisjoint((_ALL, name))

    def touches(self, purpose: str) -> bool:
        """Whether something that a purpose receives could not be read, so that nothing is known of all of it."""
        if self.has_purpose(purpose) or _ALL in self.topics:
            return True
        topics = {*self.late, *self.topics, *(topic for _, topic in self.views)}
        return any(topic.partition(".")[2] == purpose for topic in topics)

    def spelled(self) -> tuple[str, ...]:
        """What was left out, one phrase for each thing, sorted: names only."""
        said = [f"event type {name}" for name in self.events]
        said += [f"view {event} → {topic}" for event, topic in self.views]
        said += [f"purpose {name}" if name != _ALL else "all purposes" for name in self.purposes]
        said += [f"topic {name}" if name != _ALL else "all topics" for name in self.topics]
        said += ["linkage"] if self.linkage else []
        return tuple(sorted(said))


def unread(draft: Draft, derived: Collection[str], broken: frozenset[str]) -> Unread:
    """Return what a draft lacks.

    Args:
        draft: what was read.
        derived: paths of the committed derived schemas; they name the views of an event type that could not be read.
        broken: the files that have an error of reading.
    """
    events = frozenset(event.name for event in draft.events.values() if not _known(event))
    views = {(event.name, view.topic) for event, view in draft.views() if view.view is None}
    for name in events:
        views |= {(name, topic) for topic in _feeds(draft.events[name], derived)}
    topics, late = _topics(draft, frozenset(views))
    names = frozenset({_ALL}) if draft.purpose_names is None else draft.purpose_names - draft.purposes.keys()
    return Unread(events, frozenset(views), names, topics, late, LINKAGE in broken)


def _known(event: EventDraft) -> bool:
    """Whether it is known which views an event type has, and the schemas that they read."""
    return event.schemas_whole and event.policy is not None and event.policy.views_whole


def _feeds(event: EventDraft, derived: Collection[str]) -> Iterator[str]:
    if event.policy is not None:
        yield from (view.topic for view in event.policy.views)
        if event.policy.views_whole:
            return
    for path in derived:
        parts = path.removeprefix(f"{DERIVED}/").split("/")
        if parts[-1].startswith(f"{event.name}.v"):
            yield parts[-2]


def _topics(draft: Draft, views: frozenset[tuple[str, str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The topics that could not be read, and those whose default `late` is not known."""
    if draft.topics is None:
        return frozenset({_ALL}), frozenset()
    names = (draft.topics.raw_names - draft.topics.raw.keys()) | (
        draft.topics.minimized_names - draft.topics.minimized.keys()
    )
    fed = {topic for event, topic in views}
    fed |= {view.topic for event, view in draft.views() if f"raw.{event.name}" in names}
    late = frozenset(name for name, one in draft.topics.minimized.items() if one.late_ms == NO_LATE and name in fed)
    return names | (frozenset({QUARANTINE}) if draft.topics.quarantine is None else frozenset()), late
