"""Checks of linkage: what two purposes can both tell of one event is little, or somebody said why it may be more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pipelines.contract.bits import spelled_bits
from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.linkage import Shared
from pipelines.contract.model import AcceptedLinkage
from pipelines.contract.report import Mistake, meant, shown

_SHOWN: Final = 4
_Key = tuple[str, tuple[str, str]]


def linked(draft: Draft) -> Iterator[Mistake]:
    """Two purposes whose records of one event type are easily matched."""
    accepted = _accepted(draft)
    for one in draft.shared:
        agreed = accepted.get((one.event, one.purposes))
        if not one.above(draft.linkage.warn_above, agreed):
            continue
        remedy = "Coarsen one of them, or accept it with a reason in policies/linkage.yaml."
        what = f"{_told(one)} {_said(draft.linkage.warn_above, agreed)}"
        yield Mistake(max(view.position for views in one.views for view in views), what, remedy)


def _told(one: Shared) -> str:
    fields = [f"{field.path} ({spelled_bits(field.bits)})" for field in one.fields[:_SHOWN]]
    more = f" and {len(one.fields) - len(fields)} more" if len(one.fields) > len(fields) else ""
    most = f"{', '.join([f'the time of arrival ({spelled_bits(one.time_bits)})', *fields])}{more}"
    ceiling = spelled_bits(one.ceiling_bits)
    bits = f"{spelled_bits(one.bits)} bits of one event, {ceiling} if its fields depend on each other"
    if one.by_order:
        return (
            f"'{one.purposes[0]}' and '{one.purposes[1]}' share the event itself, since both are relayed live with "
            f"handles and their order joins them. Without the order: {bits}: {most}."
        )
    return f"'{one.purposes[0]}' and '{one.purposes[1]}' share {bits}: {most}."


def unknown(draft: Draft) -> Iterator[Mistake]:
    """An acceptance of what is not there: a name that was mistyped accepts nothing."""
    there: dict[str, set[str]] = {}
    for event, view in draft.views():
        if draft.topics is not None and view.view is not None and view.topic in draft.topics.minimized:
            there.setdefault(event.name, set()).add(view.view.purpose)
    purposes = draft.purpose_names
    for one in draft.linkage.accepted:
        if not {*one.purposes} <= there.get(one.event, set()):
            names = [*draft.events, *(one.purposes if purposes is None else purposes)]
            wrong = next((name for name in (one.event, *one.purposes) if name not in names), None)
            if wrong is None and _may_be_unread(draft, one):
                continue
            what = f"'{one.event}' has no views for both {shown(one.purposes[0])} and {shown(one.purposes[1])}."
            hint = meant(wrong, names) if wrong is not None else ""
            yield Mistake(one.position, f"{what}{hint}", "Fix the names, or remove the entry.")


def needless(draft: Draft) -> Iterator[Mistake]:
    """An acceptance that nothing needs any more, or one of the event itself where its order joins nothing."""
    pairs: dict[_Key, list[Shared]] = {}
    for one in draft.shared:
        pairs.setdefault((one.event, one.purposes), []).append(one)
    for key, accepted in _accepted(draft).items():
        if _may_be_unread(draft, accepted):
            continue
        there = pairs.get(key, [])
        bits = spelled_bits(max((one.bits for one in there), default=0))
        ceiling = spelled_bits(max((one.ceiling_bits for one in there), default=0))
        if there and not any(one.above(draft.linkage.warn_above) for one in there):
            what = f"Only {ceiling} bits are shared at most, and a warning comes above {draft.linkage.warn_above}."
            yield Mistake(accepted.position, what, "Remove the entry.")
        elif there and accepted.up_to is None and not any(one.by_order for one in there):
            what = f"They do not share the event itself, but {bits} bits, and {ceiling} if fields depend on each other."
            yield Mistake(accepted.position, what, "Write the bits as `up_to` and `ceiling`.")


def _said(limit: int, agreed: AcceptedLinkage | None) -> str:
    if agreed is None:
        return f"A warning comes above {limit}."
    return f"Only {agreed.spelled} were accepted ({agreed.position})."


def _accepted(draft: Draft) -> Mapping[_Key, AcceptedLinkage]:
    return {(one.event, one.purposes): one for one in draft.linkage.accepted}


def _may_be_unread(draft: Draft, one: AcceptedLinkage) -> bool:
    """Whether an event type has views for these purposes that could not be read, or might have."""
    unread = draft.unread
    return draft.purpose_names is None or one.event in unread.events or any(map(unread.touches, one.purposes))


CHECKS: Final = (
    warning("linkage", "No two purposes share more of one event than the limit, or than was accepted.", linked),
    Check("linkage-unknown", "Every acceptance of linkage names an event type and two purposes of its views.", unknown),
    warning("linkage-needless", "Every acceptance of linkage is needed.", needless),
)
