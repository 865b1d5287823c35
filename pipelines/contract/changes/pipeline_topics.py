"""What changed in the reviews of the raw topics, the quarantine and the record of changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipelines.contract.changes.change import Change, Changes, Direction, Place, by_size
from pipelines.contract.model import Contract, PipelineTopicReview, Review
from pipelines.contract.pipeline_reviews import topic_digest
from pipelines.contract.pipeline_topics import SUBJECTS
from pipelines.contract.section import spelled

_BASIS: Final = ("product", "security", "legal")


def changes(old: Contract, new: Contract) -> Changes:
    """Return all changes of these reviews; those of the topics themselves are in `topics`."""
    for subject in SUBJECTS:
        before, after = old.pipeline_topics.get(subject), new.pipeline_topics.get(subject)
        place = Place(f"review of {subject}", received=True, subject=subject)
        if before is None and after is not None:
            yield place.change(Direction.BETTER, "added", "how long and for whom these topics are kept is reviewed")
        elif before is not None and after is None:
            yield place.change(Direction.WORSE, "removed", "nobody reviews how long and for whom these topics are kept")
        elif before is not None and after is not None:
            yield from _entry(place, before, after)


def in_silence(old: Contract, new: Contract, found: Iterable[Change]) -> Changes:
    """Return a change for each subject whose digest is another one, and of which no other change was found."""
    said = {change.subject for change in found if change.received}
    for subject in SUBJECTS:
        both = subject in old.pipeline_topics and subject in new.pipeline_topics
        if both and subject not in said and topic_digest(old, subject) != topic_digest(new, subject):
            place = Place(f"review of {subject}", received=True, subject=subject)
            yield place.change(Direction.WORSE, "something else is covered", "its digest is another one")


def _entry(place: Place, old: PipelineTopicReview, new: PipelineTopicReview) -> Changes:
    for what in _BASIS:
        why = "a reason that the reviewer signs"
        yield from place.text(f"basis {what}", getattr(old, what), getattr(new, what), why)
    if old.max_ttl_ms != new.max_ttl_ms:
        what = f"max_ttl: {spelled(old.max_ttl_ms)} → {spelled(new.max_ttl_ms)}"
        yield place.change(by_size(old.max_ttl_ms, new.max_ttl_ms), what, "the longest that topics.yaml may keep these")
    yield from place.members("reviewed consumer", old.consumers, new.consumers, "reader whom topics.yaml may name")
    yield from _review(Place(place.where, subject=place.subject), old.review, new.review)


def _review(place: Place, old: Review | None, new: Review | None) -> Changes:
    if old is None or new is None:
        if new is not None:
            yield place.change(Direction.NEUTRAL, f"review {new.id} added", "it says who agreed, and when")
        elif old is not None:
            yield place.change(Direction.WORSE, f"review {old.id} removed", "nobody has agreed to it any more")
        return
    for what in ("id", "owner", "approved"):
        yield from place.text(f"review {what}", getattr(old, what), getattr(new, what), "it says who agreed, and when")
    if old.covers != new.covers:
        what = f"review covers: {old.covers[:12] or 'nothing'}… → {new.covers[:12] or 'nothing'}…"
        yield place.change(Direction.NEUTRAL, what, "another state was signed")
    if old.expires != new.expires:
        what = f"review expires: {old.expires} → {new.expires}"
        why = f"it is looked at again {'later' if new.expires > old.expires else 'earlier'}"
        yield place.change(by_size(old.expires.toordinal(), new.expires.toordinal()), what, why)
