"""Stories: what becomes of an event type, and of each of its fields, as values that a command prints.

Everything comes from the contract; no event is read, no broker asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Final

from pipelines.contract.actions import Handle
from pipelines.contract.arrival import STEP_MS
from pipelines.contract.avro import FieldClass
from pipelines.contract.bits import rule_bits, view_bits
from pipelines.contract.model import Contract, Event, View
from pipelines.explain.leaves import Leaf, containers_of, leaves_of, under
from pipelines.explain.wording import action_words, duration
from pipelines.trouble import Exit, Trouble

_EVENT_ID: Final = "it names one event forever; a minimized record gets an id of its own, under its purpose's key"
_UNDECIDED: Final = "no line of the policy names it, and what is not named does not leave"


@dataclass(frozen=True, slots=True)
class Use:
    """What one view makes of a field: `rule` is the policy's path, `gives` says it in words, `name` is the output's.

    `bits` is how much the output alone can say, for each item where there are several; None for a handle.
    """

    topic: str
    rule: str
    name: str
    gives: str
    bits: float | None


@dataclass(frozen=True, slots=True)
class FieldStory:
    """A raw leaf's fate. Without `uses`, `unused` says why it never leaves."""

    path: str
    type: str
    class_: str
    versions: tuple[int, ...]
    uses: tuple[Use, ...]
    unused: str | None


@dataclass(frozen=True, slots=True)
class ViewStory:
    """Where the event goes: a topic, for a purpose, for so long, to these readers.

    `time` says how coarse a record's time is, `handle` whose handle it carries (or that it has none), `review` whether
    the purpose may be used now; it is not `signed` while no review covers what it receives. `bits` is how much one
    record can say besides its handle, of `max_bits` allowed.
    """

    topic: str
    category: str
    purpose: str
    description: str
    objective: str
    ttl: str
    consumers: tuple[str, ...]
    handle: str
    time: str
    review: str
    signed: bool
    bits: float
    max_bits: int


@dataclass(frozen=True, slots=True)
class EventStory:
    """An event type: where it enters, where it goes, and what becomes of each field."""

    event: str
    raw_topic: str
    raw_ttl: str
    producers: tuple[str, ...]
    versions: tuple[int, ...]
    views: tuple[ViewStory, ...]
    fields: tuple[FieldStory, ...]


def tell(
    contract: Contract, event_name: str, field: str | None = None, *, as_of: date, unsigned: Collection[str] = ()
) -> EventStory:
    """The story of an event type, or of one field (or of what one container holds), with the views that use it.

    Raises:
        Trouble: (exit 2) the contract knows no such event type or field; the hint names the nearest.
    """
    event = find_event(contract, event_name)
    leaves = leaves_of(event)
    chosen = leaves if field is None else under(leaves, field)
    if not chosen:
        names = [leaf.path for leaf in leaves] + list(containers_of(leaves))
        raise Trouble(f"{event.name} has no field {field!r}", hint=_nearest(field or "", names), exit_code=Exit.USAGE)
    fields = tuple(_field_story(contract, event, leaf) for leaf in chosen)
    used = {use.topic for story in fields for use in story.uses}
    raw = contract.raw_topics.get(event.raw_topic)
    return EventStory(
        event=event.name,
        raw_topic=event.raw_topic,
        raw_ttl=duration(raw.ttl_ms) if raw else "no TTL: topics.yaml does not name it",
        producers=raw.producers if raw else (),
        versions=tuple(schema.version for schema in event.versions),
        views=tuple(
            _view_story(contract, event, view, as_of, unsigned)
            for view in event.views
            if field is None or view.topic in used
        ),
        fields=fields,
    )


def find_event(contract: Contract, name: str) -> Event:
    """The event type of that name.

    Raises:
        Trouble: (exit 2) there is none; the hint names the nearest.
    """
    event = contract.events.get(name)
    if event is None:
        hint = _nearest(name, contract.events)
        raise Trouble(f"the contract has no event type {name!r}", hint=hint, exit_code=Exit.USAGE)
    return event


def _nearest(wrong: str, names: Iterable[str]) -> str:
    known = sorted(set(names))
    close = get_close_matches(wrong, known, n=3, cutoff=0.5) or [name for name in known if wrong and wrong in name][:3]
    return f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(known)}."


def _field_story(contract: Contract, event: Event, leaf: Leaf) -> FieldStory:
    uses = tuple(
        Use(
            view.topic,
            str(rule.path),
            rule.name,
            action_words(rule.action, kind=contract.purposes[view.purpose].handle),
            None if isinstance(rule.action, Handle) else rule_bits(event.versions, rule),
        )
        for view in event.views
        for rule in view.rules
        if leaf.is_under(rule.path)
    )
    return FieldStory(
        path=leaf.path,
        type=leaf.type,
        class_=leaf.class_.value if leaf.class_ else "none",
        versions=leaf.versions,
        uses=uses,
        unused=None if uses else _why_not(event, leaf),
    )


def _why_not(event: Event, leaf: Leaf) -> str:
    if leaf.class_ is FieldClass.EVENT_ID:
        return _EVENT_ID
    return next((never.reason for never in event.never if leaf.is_under(never.path)), _UNDECIDED)


def _view_story(contract: Contract, event: Event, view: View, as_of: date, unsigned: Collection[str]) -> ViewStory:
    purpose, topic = contract.purposes[view.purpose], contract.topics[view.topic]
    review = purpose.review
    signed = review is not None and view.purpose not in unsigned
    if review is None:
        standing = "UNSIGNED, not reviewed: nothing is relayed"
    elif not signed:
        standing = f"UNSIGNED, {review.id} covers something else: nothing is relayed"
    elif as_of >= review.expires:
        standing = f"{review.id} expired on {review.expires}: nothing is relayed"
    else:
        standing = f"{review.id}, until {review.expires}"
    handle = f"{purpose.handle} handle, new every {duration(purpose.rotate_ms)}" if purpose.handle else "no handle"
    return ViewStory(
        topic=view.topic,
        category=view.category,
        purpose=view.purpose,
        description=purpose.description,
        objective=purpose.objective,
        ttl=duration(topic.ttl_ms),
        consumers=topic.consumers,
        handle=handle,
        time=f"to {duration(view.step_ms)}, and to {STEP_MS} ms by a record's place in the topic",
        review=standing,
        signed=signed,
        bits=view_bits(event.versions, view).bits,
        max_bits=purpose.max_bits,
    )
