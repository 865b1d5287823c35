"""Checks of the information budget: no record says more, besides its handle, than its purpose allows."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from typing import Final

from pipelines.contract.bits import FieldBits, spelled_bits, view_bits
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.model import View
from pipelines.contract.report import Mistake, counted

_SHOWN: Final = 4


def over_budget(draft: Draft) -> Iterator[Mistake]:
    """A view of which one record can say more than the purpose's `max_bits`."""
    for event, view in draft.views():
        purpose = draft.purpose_of(view.topic)
        if view.view is None or purpose is None:
            continue
        said = view_bits(event.versions, view.view)
        if not said.within(purpose.max_bits):
            most = ", ".join(_told(field) for field in said.fields[:_SHOWN])
            what = (
                f"A record of this view can say {spelled_bits(said.bits)} bits, and '{purpose.name}' allows "
                f"{purpose.max_bits} ({purpose.position}). Most by {most}."
            )
            yield Mistake(view.lines.position, what, "Coarsen or drop a field, or have more bits reviewed.")


def _told(field: FieldBits) -> str:
    items = f" in up to {counted(field.most, 'item')}" if field.each else ""
    return f"{field.name} ({spelled_bits(field.bits)}{items})"


def over_budget_together(draft: Draft) -> Iterator[Mistake]:
    """An event of which the records in several topics of one purpose say more together than its `max_bits`."""
    for event in draft.events.values():
        for name, views in _of_purposes(event).items():
            purpose = draft.purposes.get(name)
            if purpose is None or draft.topics is None or len(views) == 1:
                continue
            late_ms = {topic: promise.late_ms for topic, promise in draft.topics.minimized.items()}
            if any(view.topic not in late_ms for view in views):
                continue
            if any(not view_bits(event.versions, view).within(purpose.max_bits) for view in views):
                continue  # said of that view
            count = joint_count(event.versions, views, late_ms)
            if count > 1 << purpose.max_bits:
                what = (
                    f"The records of one event in the {len(views)} topics of '{name}' can together say "
                    f"{spelled_bits(log2(count))} bits, and it allows {purpose.max_bits} ({purpose.position}). "
                    f"A consumer of the purpose reads {', '.join(view.topic for view in views)}."
                )
                remedy = "Give the views the same edges, lists and steps, drop a field, or have more bits reviewed."
                yield Mistake(views[-1].position, what, remedy)


def _of_purposes(event: EventDraft) -> dict[str, list[View]]:
    found: dict[str, list[View]] = {}
    for draft in event.views:
        if draft.view is not None:
            found.setdefault(draft.view.purpose, []).append(draft.view)
    return found


CHECKS: Final = (
    Check("max-bits", "No record can say more bits than its purpose allows.", over_budget),
    Check(
        "max-bits-together",
        "The records of one event in all topics of a purpose say no more bits together than it allows.",
        over_budget_together,
    ),
)
