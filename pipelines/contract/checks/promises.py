"""Checks of promises: each TTL is one that a broker's clockwork can keep, and an account can be given of every view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines import retention
from pipelines.contract.books import LIMIT_BYTES, fitting
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS, ChangesTopic, QuarantineTopic, RawTopic
from pipelines.contract.report import Mistake
from pipelines.contract.section import spelled
from pipelines.contract.topics import MAX_RAW_TTL_MS, with_late

_TIMES: Final = retention.BrokerTimes()


def raw_limit(draft: Draft) -> Iterator[Mistake]:
    """A raw event that lives too long."""
    for topic in draft.topics.raw.values() if draft.topics else ():
        if topic.ttl_ms > MAX_RAW_TTL_MS:
            what = f"'{topic.name}' keeps raw events for {spelled(topic.ttl_ms)}."
            yield Mistake(topic.position, what, f"Raw events live for {MAX_RAW_TTL_MS // HOUR_MS}h at most.")


def kept(draft: Draft) -> Iterator[Mistake]:
    """A TTL that is shorter than deleting takes."""
    if draft.topics is None:
        return
    for topic in draft.topics.minimized.values():
        steps = [view.view.step_ms for _, view in draft.views() if view.topic == topic.name and view.view is not None]
        feeding = {f"raw.{event.name}" for event, view in draft.views() if view.topic == topic.name}
        ttls = [raw.ttl_ms for name, raw in draft.topics.raw.items() if name in feeding]
        late = with_late(topic, ttls).late_ms
        step = max(steps, default=HOUR_MS)
        settings = retention.minimized(topic.ttl_ms, late, step, _TIMES)
        if isinstance(settings, retention.TooShort):
            what = (
                f"A TTL of {spelled(topic.ttl_ms)} cannot be kept with inputs {spelled(late)} late and a step of "
                f"{spelled(step)}: the shortest that can is {_in_words(settings.shortest_ttl_ms)}."
            )
            remedy = f"Write `ttl: {_as_ttl(settings.shortest_ttl_ms)}` or more, or shorten `late` or the step."
            yield Mistake(topic.position, what, remedy)
    others: list[RawTopic | QuarantineTopic | ChangesTopic] = [*draft.topics.raw.values(), draft.topics.changes]
    if draft.topics.quarantine is not None:
        others.append(draft.topics.quarantine)
    for other in others:
        settings = retention.raw(other.ttl_ms, _TIMES)
        if isinstance(settings, retention.TooShort):
            what = (
                f"A TTL of {spelled(other.ttl_ms)} cannot be kept: the shortest that can is "
                f"{_in_words(settings.shortest_ttl_ms)}."
            )
            yield Mistake(other.position, what, f"Write `ttl: {_as_ttl(settings.shortest_ttl_ms)}` or more.")


def apart(draft: Draft) -> Iterator[Mistake]:
    """One name for the record of changes and for a minimized topic."""
    if draft.topics is not None and draft.topics.changes.name in draft.topics.minimized_names:
        topics = draft.topics
        what = f"'{topics.changes.name}' is both a minimized topic and where changes of topics are recorded."
        yield Mistake(topics.changes.position, what, "Name another topic under `changes:`.")


def accounted(draft: Draft) -> Iterator[Mistake]:
    """An event type with more views than its books have room for."""
    for _, event in sorted(draft.events.items()):
        views = event.policy.views if event.policy is not None else ()
        fit = fitting(view.topic for view in views)
        if fit < len(views):
            what = (
                f"'{event.name}' has {len(views)} views: the account of them would not fit into the {LIMIT_BYTES:,} "
                f"bytes that go with an offset; {fit} fit."
            )
            yield Mistake(views[fit].position, what, "Merge views, or split the event type.")


def _as_ttl(span_ms: int) -> str:
    """A span as a TTL can be written, rounded up to whole minutes."""
    return spelled(_whole_minutes(span_ms))


def _in_words(span_ms: int) -> str:
    """The same span for people: `1 d 10 h 14 min`."""
    left, words = _whole_minutes(span_ms), list[str]()
    for size, unit in ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min")):
        count, left = divmod(left, size)
        words += [f"{count} {unit}"] if count else []
    return " ".join(words)


def _whole_minutes(span_ms: int) -> int:
    return -(-span_ms // MINUTE_MS) * MINUTE_MS


CHECKS: Final = (
    Check("raw-ttl", "No raw topic keeps events longer than 72 hours.", raw_limit),
    Check("ttl-too-short", "Every TTL can be kept.", kept),
    Check("changes-topic", "Changes of topics are recorded in a topic of their own.", apart),
    Check("too-many-views", "An event type has no more views than an offset's metadata can account for.", accounted),
)
