"""Comparing two contracts: every change, the worse ones first. `diff` and `review` tell what is found here."""

from __future__ import annotations

from pipelines.contract.changes import linkage, pipeline_topics, purposes, schemas, topics, views
from pipelines.contract.changes.change import ORDER, Change, Direction, Place
from pipelines.contract.model import Contract
from pipelines.contract.received import digest_of


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """All changes from an old contract to a new one. Nothing when they mean the same."""
    parts = (views, purposes, topics, pipeline_topics, linkage, schemas)
    found = [change for part in parts for change in part.changes(old, new)]
    said = {name for change in found if change.received for name in change.purposes}
    for name in sorted(old.purposes.keys() & new.purposes.keys() - said):
        if digest_of(old, name) != digest_of(new, name):  # nothing that a review covers may change in silence
            place = Place(f"purpose {name}", frozenset({name}), received=True)
            why = "what it receives has another digest; nothing says whether that is more"
            found.append(place.change(Direction.WORSE, "something else is received", why))
    found += pipeline_topics.in_silence(old, new, tuple(found))
    return tuple(sorted(found, key=lambda change: ORDER.index(change.direction)))


def since(old: Contract, new: Contract, name: str) -> tuple[Change, ...]:
    """The changes of what the review of a purpose covers, or that of `raw`, `quarantine` or `changes`."""
    return tuple(
        change
        for change in compare(old, new)
        if change.received and (name in change.purposes or name == change.subject)
    )


def accepted_since(old: Contract, new: Contract, purpose: str) -> tuple[Change, ...]:
    """Return the changes of what is accepted of one purpose's linkage, which no review covers; the worse ones first."""
    found = [change for change in linkage.changes(old, new) if purpose in change.purposes]
    return tuple(sorted(found, key=lambda change: ORDER.index(change.direction)))
