"""What changed in topics: how long, how late, by whom. Raw topics, quarantine and changes belong to no purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.contract.changes.change import Changes, Direction, Place, by_size
from pipelines.contract.model import ChangesTopic, Contract, QuarantineTopic, RawTopic, Topic
from pipelines.contract.pipeline_topics import CHANGES, QUARANTINE, RAW
from pipelines.contract.section import spelled

_LAYOUT: Final = "it lays records out and tells nothing more of them"


def changes(old: Contract, new: Contract) -> Changes:
    """All changes of minimized topics, raw topics, the quarantine and the record of changes."""
    for name in sorted({*old.topics, *new.topics}):
        place = Place(f"topic {name}", frozenset({name.partition(".")[2]}), received=True)
        before, after = old.topics.get(name), new.topics.get(name)
        if before is None or after is None:
            done = "removed" if after is None else "added"
            yield place.change(Direction.NEUTRAL, done, "what is in a topic is told by its views")
        else:
            yield from _topic(place, before, after)
    yield from _raw(old.raw_topics, new.raw_topics)
    yield from _quarantine(old.quarantine, new.quarantine)
    yield from _record(old.changes, new.changes)


def _span(place: Place, what: str, old: int, new: int, why: str) -> Changes:
    if old != new:
        longer = "longer" if new > old else "shorter"
        yield place.change(by_size(old, new), f"{what}: {spelled(old)} → {spelled(new)}", f"{why} for a {longer} time")


def _topic(place: Place, old: Topic, new: Topic) -> Changes:
    yield from _span(place, "ttl", old.ttl_ms, new.ttl_ms, "records are kept")
    yield from _span(place, "late", old.late_ms, new.late_ms, "events that were not relayed can still be")
    yield from place.members("consumer", old.consumers, new.consumers, "reader of these records")
    beside = Place(place.where, place.purposes)
    yield from beside.text("partitions", old.partitions, new.partitions, _LAYOUT)
    yield from beside.text(
        "compression",
        old.compression or "not set",
        new.compression or "not set",
        "the codec of a batch tells nothing of a record",
    )
    for what in ("product", "security", "legal", "reviewed", "expires"):
        why = "the reason for the TTL, which itself is told apart"
        yield from beside.text(f"basis {what}", getattr(old.basis, what), getattr(new.basis, what), why)


def _raw(old: Mapping[str, RawTopic], new: Mapping[str, RawTopic]) -> Changes:
    for name in sorted({*old, *new}):
        place = Place(f"topic {name}", subject=RAW)
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            what = f"added, ttl {spelled(after.ttl_ms)}"
            yield place.change(Direction.WORSE, what, "raw events of one more kind are collected")
        elif before is not None and after is None:
            yield place.change(Direction.BETTER, "removed", "raw events of one kind less are collected")
        elif before is not None and after is not None:
            yield from _span(place, "ttl", before.ttl_ms, after.ttl_ms, "raw events are kept")
            why = "principal who knows raw identifiers"
            yield from place.members("producer", before.producers, after.producers, why)
            yield from place.text("partitions", before.partitions, after.partitions, _LAYOUT)


def _quarantine(old: QuarantineTopic, new: QuarantineTopic) -> Changes:
    place = Place("the quarantine", subject=QUARANTINE)
    yield from place.text("topic", old.name, new.name, "a name tells nothing of a record")
    yield from _span(place, "ttl", old.ttl_ms, new.ttl_ms, "notes are kept")
    covered = Place(place.where, received=True, subject=QUARANTINE)
    yield from covered.members("consumer", old.consumers, new.consumers, "reader of exact coordinates")
    yield from place.text("partitions", old.partitions, new.partitions, _LAYOUT)


def _record(old: ChangesTopic, new: ChangesTopic) -> Changes:
    place = Place("the record of changes", subject=CHANGES)
    yield from place.text("topic", old.name, new.name, "a name tells nothing of a record")
    if old.ttl_ms != new.ttl_ms:
        longer = new.ttl_ms > old.ttl_ms
        why = f"auditors can prove for a {'longer' if longer else 'shorter'} time who changed a TTL"
        direction = Direction.BETTER if longer else Direction.WORSE
        yield place.change(direction, f"ttl: {spelled(old.ttl_ms)} → {spelled(new.ttl_ms)}", why)
    covered = Place(place.where, received=True, subject=CHANGES)
    yield from covered.members("consumer", old.consumers, new.consumers, "reader of who changed which topic")
