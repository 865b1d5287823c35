"""Checks of linkage across epochs: rotation keeps handles apart, or somebody said why records may match them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.bits import spelled_bits
from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.linkage.epochs import Across, accepted_across
from pipelines.contract.report import Mistake, meant, shown

_SHOWN: Final = 4


def linked(draft: Draft) -> Iterator[Mistake]:
    """A purpose whose records can match its handles across epochs."""
    limit = draft.linkage.warn_above
    for one in draft.across:
        agreed, purpose = accepted_across(draft.linkage, one.purpose), draft.purposes.get(one.purpose)
        if purpose is None or not one.above(limit, agreed):
            continue
        ends = f"A warning comes above {limit}." if agreed is None else (
            f"Only {agreed.spelled} were accepted ({agreed.position})."
        )  # fmt: skip
        yield Mistake(purpose.position, f"{_told(one)} {ends}", _remedy(one, accepted=agreed is not None))


def _told(one: Across) -> str:
    events = [f"{event.event} ({spelled_bits(event.bits)})" for event in one.events[:_SHOWN]]
    more = f" and {len(one.events) - len(events)} more" if len(one.events) > len(events) else ""
    return (
        f"One record of each event type can match a handle of '{one.purpose}' with that of the same device or account "
        f"in another epoch, by up to {spelled_bits(one.bits)} bits: {', '.join(events)}{more}."
    )


def _remedy(one: Across, *, accepted: bool) -> str:
    less = "Coarsen or drop fields, limit times more closely"
    if accepted:
        return f"{less}, or write `up_to: {one.whole_bits}` there and check that its reason still holds."
    line = f'{{purpose: {one.purpose}, up_to: {one.whole_bits}, reason: ""}}'
    return (
        f"{less}, or accept it in policies/linkage.yaml and say why: `across_epochs: [{line}]`. "
        "`pipelines linkage --acceptances` prints the lines of all purposes."
    )


def unknown(draft: Draft) -> Iterator[Mistake]:
    """An acceptance for a purpose that is not there: a name that was mistyped accepts nothing."""
    if draft.purpose_names is None:
        return
    for one in draft.linkage.across_epochs:
        if one.purpose not in draft.purpose_names:
            what = f"There is no purpose {shown(one.purpose)}.{meant(one.purpose, draft.purpose_names)}"
            yield Mistake(one.position, what, "Fix the name, or remove the entry.")


def needless(draft: Draft) -> Iterator[Mistake]:
    """An acceptance for a purpose that is within the limit, or has no handles to match."""
    if draft.contract is None or any(view.topic not in draft.contract.topics for _, view in draft.views()):
        return  # a figure of a part of the views would be too low
    found = {one.purpose: one for one in draft.across}
    limit = draft.linkage.warn_above
    for one in draft.linkage.across_epochs:
        figure = found.get(one.purpose)
        if figure is None and one.purpose in draft.purposes:
            yield Mistake(one.position, f"No view of '{one.purpose}' has a handle to match.", "Remove the entry.")
        elif figure is not None and not figure.above(limit):
            bits = spelled_bits(figure.bits)
            what = f"The records of '{one.purpose}' say only {bits} bits, and a warning comes above {limit}."
            yield Mistake(one.position, what, "Remove the entry.")


CHECKS: Final = (
    warning(
        "epoch-linkage",
        "No purpose can match its handles across epochs by more than the limit, or than was accepted.",
        linked,
    ),
    Check("epoch-linkage-unknown", "Every acceptance of linkage across epochs names a purpose.", unknown),
    warning("epoch-linkage-needless", "Every acceptance of linkage across epochs is needed.", needless),
)
