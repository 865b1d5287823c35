"""What changed in how much two purposes may share: when that is warned of, and where it was accepted.

It changes no record, so no review covers it; but it is where somebody says that more may be linked.
"""

from __future__ import annotations

from math import inf

from pipelines.contract.changes.change import Changes, Direction, Place, by_size
from pipelines.contract.model import AcceptedLinkage, Contract, Linkage

_Key = tuple[str, tuple[str, str]]


def changes(old: Contract, new: Contract) -> Changes:
    """The limit, then each acceptance, by event type and purposes."""
    if old.linkage.warn_above != new.linkage.warn_above:
        what = f"warn_above: {old.linkage.warn_above} → {new.linkage.warn_above}"
        direction = by_size(old.linkage.warn_above, new.linkage.warn_above)
        yield Place("linkage").change(direction, what, "the bits that two purposes may share of one event unsaid")
    before, after = _accepted(old.linkage), _accepted(new.linkage)
    for key in sorted({*before, *after}):
        event, purposes = key
        place = Place(f"linkage of {event}: {purposes[0]} and {purposes[1]}", frozenset(purposes))
        yield from _acceptance(place, before.get(key), after.get(key))


def _accepted(linkage: Linkage) -> dict[_Key, AcceptedLinkage]:
    return {(one.event, one.purposes): one for one in linkage.accepted}


def _acceptance(place: Place, old: AcceptedLinkage | None, new: AcceptedLinkage | None) -> Changes:
    if old is None and new is not None:
        what = f"accepted up to {new.spelled}: {new.reason}"
        yield place.change(Direction.WORSE, what, "more may be shared than is warned of")
    elif old is not None and new is None:
        what = f"no longer accepted up to {old.spelled}"
        yield place.change(Direction.BETTER, what, "no more than is warned of")
    elif old is not None and new is not None:
        if _most(old) != _most(new):
            what = f"accepted up to {old.spelled} → {new.spelled}"
            yield place.change(_direction(_most(old), _most(new)), what, "what of one event both may tell")
        yield from place.text("reason", old.reason, new.reason, "another reason for the same acceptance")


def _most(one: AcceptedLinkage) -> tuple[float, float]:
    return (inf, inf) if one.up_to is None else (one.up_to, max(one.up_to, one.ceiling))


def _direction(old: tuple[float, float], new: tuple[float, float]) -> Direction:
    less = all(before >= after for before, after in zip(old, new, strict=True))
    return Direction.BETTER if less else Direction.WORSE
