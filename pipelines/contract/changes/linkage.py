"""What changed in how much two purposes may share: when that is warned of, and where it was accepted.

It changes no record, so no review covers it; but it is where somebody says that more may be linked.
"""

from __future__ import annotations

from pipelines.contract.changes.change import Changes, Direction, Place, by_size
from pipelines.contract.model import Contract, Linkage

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
        bits, reason = before.get(key, (None, "")), after.get(key, (None, ""))
        yield from _acceptance(place, bits, reason)


def _accepted(linkage: Linkage) -> dict[_Key, tuple[int, str]]:
    return {(one.event, one.purposes): (one.up_to, one.reason) for one in linkage.accepted}


def _acceptance(place: Place, old: tuple[int | None, str], new: tuple[int | None, str]) -> Changes:
    (before, reasoned), (after, reason) = old, new
    if before is None:
        yield place.change(
            Direction.WORSE, f"accepted up to {after} bits: {reason}", "more may be shared than is warned of"
        )
    elif after is None:
        yield place.change(Direction.BETTER, f"no longer accepted up to {before} bits", "no more than is warned of")
    else:
        if before != after:
            what = f"accepted up to {before} → {after} bits"
            yield place.change(by_size(before, after), what, "the bits of one event that both may tell")
        yield from place.text("reason", reasoned, reason, "another reason for the same acceptance")
