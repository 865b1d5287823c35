"""Checks of the information budget: no record says more, besides its handle, than its purpose allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.bits import FieldBits, spelled_bits, view_bits
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
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


CHECKS: Final = (Check("max-bits", "No record can say more bits than its purpose allows.", over_budget),)
