"""Checks of coverage: default deny. Every raw leaf is in a view or in `never`, and in one of them only.

The event's own id is decided already, for every policy alike: no view may name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.avro import FieldClass
from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.leaves import overlap
from pipelines.contract.path import Path
from pipelines.contract.report import Mistake, meant, shown


def policy_missing(draft: Draft) -> Iterator[Mistake]:
    """An event type that nobody decided about."""
    for event in draft.events.values():
        if event.versions and not event.policy_found:
            path = f"policies/{event.name.replace('.', '/')}.yaml"
            what = f"There is no policy for '{event.name}'."
            yield Mistake(event.versions[-1].position, what, f"Add {path}.")


def undecided(draft: Draft) -> Iterator[Mistake]:
    """A leaf that no line names."""
    for event in _readable(draft):
        policy = event.policy
        if policy is None or not policy.whole:
            continue
        paths = (*_used(event), *(never.path for never in policy.never))
        for leaf in event.leaves():
            if leaf.class_ is not FieldClass.EVENT_ID and not any(leaf.under(path) for path in paths):
                keys = ", the keys of a map: an entry does not decide about them" if leaf.keys_only else ""
                what = f"Nothing is decided about '{leaf.spelled}'{keys} ({leaf.field.position})."
                yield Mistake(policy.place, what, "Use it in a view, or add it to `never` with the reason.")


def both(draft: Draft) -> Iterator[Mistake]:
    """A leaf that a view uses and `never` forbids."""
    for event in _readable(draft):
        for never in event.policy.never if event.policy else ():
            used = next((path for path in _used(event) if overlap(path, never.path)), None)
            if used is not None and _leads_somewhere(event, never.path):
                what = f"'{never.path}' is never to be used, and a view uses '{used}'."
                yield Mistake(
                    never.position, what, "Decide: remove it here, or name only the leaves that no view uses."
                )


def never_unknown(draft: Draft) -> Iterator[Mistake]:
    """A line of `never` about a field that is not there."""
    for event in _readable(draft):
        for never in event.policy.never if event.policy else ():
            if not _leads_somewhere(event, never.path):
                hint = meant(str(never.path), (".".join(leaf.fields) for leaf in event.leaves()))
                what = f"{shown(str(never.path))} leads nowhere.{hint}"
                yield Mistake(never.position, what, "Name a field of the raw schema, or remove the line.")


def no_view(draft: Draft) -> Iterator[Mistake]:
    """An event type that no purpose uses."""
    for event in _readable(draft):
        if event.policy is not None and event.policy.whole and not event.policy.views:
            what = f"No view uses '{event.name}'."
            yield Mistake(event.policy.place, what, "What no purpose needs should not be collected (P1).")


def _readable(draft: Draft) -> Iterator[EventDraft]:
    for event in draft.events.values():
        if event.schemas_whole and event.policy is not None:
            yield event


def _used(event: EventDraft) -> list[Path]:
    return [path for view in event.views for path in view.decided]


def _leads_somewhere(event: EventDraft, path: Path) -> bool:
    return any(leaf.under(path) for leaf in event.leaves())


CHECKS: Final = (
    Check("policy-missing", "Every event type has a policy.", policy_missing),
    Check("leaf-undecided", "Every raw leaf is in a view or in `never`.", undecided),
    Check("never-and-view", "No leaf is both in a view and in `never`.", both),
    Check("never-unknown", "Every line of `never` names a field of the raw schema.", never_unknown),
    warning("event-without-view", "Some purpose uses every event type.", no_view),
)
