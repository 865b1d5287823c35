"""What changed in how much two purposes may share, and one purpose across epochs: the limit, and what was accepted.

It changes no record, so no review covers it; but it is where somebody says that more may be linked.
"""

from __future__ import annotations

from math import inf

from pipelines.contract.changes.change import Changes, Direction, Place, by_size
from pipelines.contract.model import AcceptedAcross, AcceptedLinkage, Contract, Linkage

_Key = tuple[str, tuple[str, str]]
_Accepted = AcceptedLinkage | AcceptedAcross


def changes(old: Contract, new: Contract) -> Changes:
    """The limit, then each acceptance: of two purposes by event type and purposes, of one purpose by its name."""
    if old.linkage.warn_above != new.linkage.warn_above:
        what = f"warn_above: {old.linkage.warn_above} → {new.linkage.warn_above}"
        direction = by_size(old.linkage.warn_above, new.linkage.warn_above)
        yield Place("linkage").change(
            direction, what, "the bits that two purposes may share of one event, and one purpose across epochs, unsaid"
        )
    before, after = _accepted(old.linkage), _accepted(new.linkage)
    for key in sorted({*before, *after}):
        event, purposes = key
        place = Place(f"linkage of {event}: {purposes[0]} and {purposes[1]}", frozenset(purposes))
        yield from _acceptance(place, before.get(key), after.get(key), "what of one event both may tell")
    alone = {one.purpose: one for one in old.linkage.across_epochs}
    now = {one.purpose: one for one in new.linkage.across_epochs}
    for name in sorted({*alone, *now}):
        place = Place(f"linkage of {name} across epochs", frozenset({name}))
        why = "what may stay the same of a device or account when its handle changes"
        yield from _acceptance(place, alone.get(name), now.get(name), why)


def _accepted(linkage: Linkage) -> dict[_Key, AcceptedLinkage]:
    return {(one.event, one.purposes): one for one in linkage.accepted}


def _acceptance(place: Place, old: _Accepted | None, new: _Accepted | None, why: str) -> Changes:
    if old is None and new is not None:
        what = f"accepted up to {new.spelled}: {new.reason}"
        yield place.change(Direction.WORSE, what, "more may be shared than is warned of")
    elif old is not None and new is None:
        what = f"no longer accepted up to {old.spelled}"
        yield place.change(Direction.BETTER, what, "no more than is warned of")
    elif old is not None and new is not None:
        if _most(old) != _most(new):
            what = f"accepted up to {old.spelled} → {new.spelled}"
            yield place.change(_direction(_most(old), _most(new)), what, why)
        yield from place.text("reason", old.reason, new.reason, "another reason for the same acceptance")


def _most(one: _Accepted) -> tuple[float, float]:
    if isinstance(one, AcceptedAcross):
        return one.up_to, one.up_to
    return (inf, inf) if one.up_to is None else (one.up_to, max(one.up_to, one.ceiling))


def _direction(old: tuple[float, float], new: tuple[float, float]) -> Direction:
    less = all(before >= after for before, after in zip(old, new, strict=True))
    return Direction.BETTER if less else Direction.WORSE
