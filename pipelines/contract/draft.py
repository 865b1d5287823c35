"""The draft: everything that could be read of a contract's files, whole or not. What the checks look at.

A name whose value had a mistake is still known by name, so that one mistake is not reported as several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from pipelines.contract.leaves import Leaf, leaves
from pipelines.contract.linkage import Shared, shared
from pipelines.contract.linkage.epochs import Across, across
from pipelines.contract.model import Contract, Linkage, PipelineTopicReview, Purpose, RawSchema
from pipelines.contract.overlay.laid import Laid
from pipelines.contract.policy import Policy, ViewLines
from pipelines.contract.topics import Topics
from pipelines.contract.unread import Unread
from pipelines.contract.view import Resolved, ViewDraft, strictest


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event type. `schemas_whole`: every schema file of it was read; `policy_found`: there is a policy file."""

    name: str
    versions: tuple[RawSchema, ...]
    schemas_whole: bool
    policy_found: bool
    policy: Policy | None
    views: tuple[ViewDraft, ...]

    @property
    def source(self) -> str:
        """The system that publishes it."""
        return self.name.partition(".")[0]

    def leaves(self) -> tuple[Leaf, ...]:
        """The leaves of all versions, each once, with the strictest class and the newest's place."""
        merged: dict[tuple[tuple[str, ...], bool], Leaf] = {}
        for schema in reversed(self.versions):
            for leaf in leaves(schema.record):
                known = merged.get((leaf.fields, leaf.keys_only))
                class_ = leaf.class_ if known is None else strictest((known.class_, leaf.class_)) or leaf.class_
                merged[leaf.fields, leaf.keys_only] = (known or leaf).classed(class_)
        return tuple(merged.values())


@dataclass(frozen=True)  # no slots: `shared` and `across` are kept once computed
class Draft:
    """A contract as far as it could be read.

    `purpose_names` and `topics` are None when their file could not be read, and nothing is then said about them.
    `contract` is None when a mistake stands in the way of building it. `readable` is then what of it could be read,
    without what `unread` names; None when nothing could. `derived` is what schemas/minimized/ holds,
    or an overlay's own folder, if one was `laid` over; `superseded` holds the superseded schemas and their index.
    `pipeline_topics` is None when the contract has no file of these reviews.
    """

    as_of: date
    events: Mapping[str, EventDraft]
    purposes: Mapping[str, Purpose]
    purpose_names: frozenset[str] | None
    topics: Topics | None
    linkage: Linkage = field(default_factory=Linkage)
    contract: Contract | None = None
    derived: Mapping[str, bytes] = field(default_factory=dict)
    laid: Laid | None = None
    superseded: Mapping[str, bytes] = field(default_factory=dict)
    readable: Contract | None = None
    unread: Unread = field(default_factory=Unread)
    pipeline_topics: Mapping[str, PipelineTopicReview] | None = None

    def views(self) -> Iterator[tuple[EventDraft, ViewDraft]]:
        """Every view with its event type, in name order."""
        for _, event in sorted(self.events.items()):
            for view in event.views:
                yield event, view

    def written(self) -> Iterator[tuple[EventDraft, ViewLines]]:
        """Every view as its policy writes it, with its event type, whether or not its raw schemas could be read."""
        for _, event in sorted(self.events.items()):
            for view in () if event.policy is None else event.policy.views:
                yield event, view

    def lines(self) -> Iterator[tuple[EventDraft, ViewDraft, Resolved]]:
        """Every line that means something, with its event type and view, in name order."""
        for event, view in self.views():
            for line in view.resolved:
                yield event, view, line

    @cached_property
    def shared(self) -> tuple[Shared, ...]:
        """What every two purposes share of an event type, event type by event type, in name order."""
        ttls = {} if self.topics is None else {name: one.ttl_ms for name, one in self.topics.minimized.items()}
        late_ms = {} if self.topics is None else {name: one.late_ms for name, one in self.topics.minimized.items()}
        found: list[Shared] = []
        for _, event in sorted(self.events.items()):
            views = [view.view for view in event.views if view.view is not None]
            found += shared(event.versions, views, ttls, late_ms)
        return tuple(found)

    @cached_property
    def across(self) -> tuple[Across, ...]:
        """How well each purpose whose views have handles can match them across epochs, in name order."""
        late_ms = {} if self.topics is None else {name: one.late_ms for name, one in self.topics.minimized.items()}
        events = (
            (name, event.versions, [view.view for view in event.views if view.view is not None])
            for name, event in sorted(self.events.items())
        )
        return tuple(across(events, late_ms))

    def purpose_of(self, topic: str) -> Purpose | None:
        """The purpose of a minimized topic, when it could be read."""
        return self.purposes.get(topic.partition(".")[2])
