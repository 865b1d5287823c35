"""What changed in purposes: their terms, the answers that were given, and the review itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from pipelines.contract.changes.change import Change, Changes, Direction, Place, by_size
from pipelines.contract.model import Contract, Purpose, Review
from pipelines.contract.section import spelled

_NEW_USE: Final = "a purpose says what data is used for; a reviewer judges whether it still is the same use"


def changes(old: Contract, new: Contract) -> Changes:
    """All changes of purposes, in name order."""
    for name in sorted({*old.purposes, *new.purposes}):
        before, after = old.purposes.get(name), new.purposes.get(name)
        place = Place(f"purpose {name}", frozenset({name}), received=True)
        if before is None and after is not None:
            yield place.change(Direction.WORSE, f"added: {after.description}", "one more use of data")
        elif before is not None and after is None:
            yield place.change(Direction.BETTER, f"removed: {before.description}", "one use of data less")
        elif before is not None and after is not None:
            yield from _terms(place, before, after)
            yield from _review(Place(place.where, place.purposes), before.review, after.review)


def _terms(place: Place, old: Purpose, new: Purpose) -> Changes:
    for what in ("description", "objective", "iri", "legal_basis"):
        yield from place.text(what, getattr(old, what), getattr(new, what), _NEW_USE)
    answers = asdict(new.answers)
    for question, before in asdict(old.answers).items():
        yield from place.text(question, before, answers[question], "an answer that the reviewer signs")
    if old.handle != new.handle:
        yield _handle(place, old, new)
    if old.rotate_ms != new.rotate_ms:
        direction = by_size(old.rotate_ms, new.rotate_ms)
        longer = "longer" if direction is Direction.WORSE else "shorter"
        what = f"rotate: {spelled(old.rotate_ms)} → {spelled(new.rotate_ms)}"
        yield place.change(direction, what, f"a handle stays the same for a {longer} time")
    if old.max_bits != new.max_bits:
        why = "the most that a record may say besides its handle"
        yield place.change(by_size(old.max_bits, new.max_bits), f"max_bits: {old.max_bits} → {new.max_bits}", why)


def _handle(place: Place, old: Purpose, new: Purpose) -> Change:
    what = f"handle: {old.handle or 'none'} → {new.handle or 'none'}"
    if new.handle is None:
        return place.change(Direction.BETTER, what, "records of one person can no longer be told to be so")
    if old.handle is None:
        return place.change(Direction.WORSE, what, "records of one person can be followed within an epoch")
    return place.change(Direction.WORSE, what, "another identifier is followed; the two cannot be compared")


def _review(place: Place, old: Review | None, new: Review | None) -> Changes:
    if old is None or new is None:
        if new is not None:
            yield place.change(Direction.WORSE, f"review {new.id} added", "without a review nothing was relayed")
        elif old is not None:
            yield place.change(Direction.BETTER, f"review {old.id} removed", "without a review nothing is relayed")
        return
    for what in ("id", "owner", "approved"):
        yield from place.text(f"review {what}", getattr(old, what), getattr(new, what), "it says who agreed, and when")
    if old.covers != new.covers:
        what = f"review covers: {old.covers[:12] or 'nothing'}… → {new.covers[:12] or 'nothing'}…"
        yield place.change(Direction.NEUTRAL, what, "another state of the purpose was signed")
    if old.expires != new.expires:
        later = new.expires > old.expires
        yield place.change(
            Direction.WORSE if later else Direction.BETTER,
            f"review expires: {old.expires} → {new.expires}",
            f"the purpose receives data for a {'longer' if later else 'shorter'} time",
        )
