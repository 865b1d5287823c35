"""Comparing contracts that have errors: what could be read on both sides, and the names of what is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from pipelines.contract.changes.change import Change
from pipelines.contract.changes.compare import compare
from pipelines.contract.model import Contract, Event, Linkage
from pipelines.contract.unread import QUARANTINE, Unread

V = TypeVar("V")


def compare_readable(old: tuple[Contract, Unread], new: tuple[Contract, Unread]) -> tuple[Change, ...]:
    """Return the changes between two contracts, each with what of it could not be read.

    What one side could not read is left out on both, so that it counts neither as added nor as removed.
    """
    unread = (old[1], new[1])
    before, after = (_without(contract, unread) for contract, _ in (old, new))
    topics = dict(after.topics)
    for name in topics.keys() & before.topics.keys() & (unread[0].late | unread[1].late):
        topics[name] = replace(topics[name], late_ms=before.topics[name].late_ms)
    known = not any(one.has_topic(QUARANTINE) for one in unread)
    return compare(before, replace(after, topics=topics, quarantine=after.quarantine if known else before.quarantine))


def _without(contract: Contract, unread: tuple[Unread, Unread]) -> Contract:
    events = _kept(contract.events, lambda name: any(name in one.events for one in unread))
    return replace(
        contract,
        events={name: _event(event, unread) for name, event in events.items()},
        purposes=_kept(contract.purposes, lambda name: any(one.has_purpose(name) for one in unread)),
        topics=_kept(contract.topics, lambda name: any(one.has_topic(name) for one in unread)),
        raw_topics=_kept(contract.raw_topics, lambda name: any(one.has_topic(name) for one in unread)),
        linkage=Linkage() if any(one.linkage for one in unread) else contract.linkage,
    )


def _kept(parts: Mapping[str, V], gone: Callable[[str], bool]) -> dict[str, V]:
    return {name: part for name, part in parts.items() if not gone(name)}


def _event(event: Event, unread: tuple[Unread, Unread]) -> Event:
    views = (view for view in event.views if not any(one.has_view(event.name, view.topic) for one in unread))
    return replace(event, views=tuple(views))
