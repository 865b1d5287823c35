"""Keeping: what an overlaid view keeps of the contract's, so that nothing leaves that would not leave without it.

A view's rules also hold back events whose values are out of bound, and its time is as coarse as its `occurred_at`. A
rule that is dropped or coarsened goes on holding back (a guard); a time that is dropped stays as coarse. And a raw
field that no view names any more has been decided about: it is `never`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pipelines.contract.actions import Action, Keep, Present
from pipelines.contract.draft import EventDraft
from pipelines.contract.findings import Position
from pipelines.contract.folder import overlay_file
from pipelines.contract.leaves import Leaf
from pipelines.contract.model import Never, OutputArray, OutputField, View
from pipelines.contract.overlay.laid import Laid
from pipelines.contract.path import Path, Step

_NEVER_HOLD_BACK: Final = (Keep, Present)


def kept(laid: Laid, event: EventDraft) -> EventDraft:
    """The event type under the overlay, with what it keeps of the contract's."""
    views = []
    for draft in event.views:
        was = laid.view(event.name, draft.topic)
        view = None if draft.view is None or was is None else _as_strict(was, draft.view)
        views.append(replace(draft, view=view))
    event = replace(event, views=tuple(views))
    if event.policy is None or event.name not in laid.base.events:
        return event
    never = (*event.policy.never, *_dropped(laid, event))
    # What a removed view decided about is not known if that view could not be read.
    unread = any(of == event.name and laid.view(of, topic) is None for of, topic in laid.removed.views)
    return replace(event, policy=replace(event.policy, never=never, whole=event.policy.whole and not unread))


def _as_strict(was: View, view: View) -> View:
    step = view.step_ms if view.step_ms % was.step_ms == 0 else was.step_ms
    return replace(view, step_ms=step, guards=_guards(was, view))


def _guards(was: View, view: View) -> tuple[OutputField | OutputArray, ...]:
    stays = {rule.path: rule.action for rule in view.rules}
    arrays = {output.source for output in view.output if isinstance(output, OutputArray)}
    guards: list[OutputField | OutputArray] = []
    for output in was.output:
        if isinstance(output, OutputField):
            if _holds_back(output, stays):
                guards.append(output)
        elif inside := tuple(
            # An array that is gone held back longer ones, whatever was told of its items.
            field
            for field in output.fields
            if output.source not in arrays or _holds_back(field, stays)
        ):
            guards.append(replace(output, fields=inside))
    return tuple(guards)


def _holds_back(field: OutputField, stays: Mapping[Path, Action]) -> bool:
    same = stays.get(field.rule.path) == field.rule.action
    return not same and not isinstance(field.rule.action, _NEVER_HOLD_BACK)


def _dropped(laid: Laid, event: EventDraft) -> list[Never]:
    """A line of `never` for each leaf that views of the contract use, and no view does under the overlay."""
    used = [rule.path for view in laid.base.events[event.name].views for rule in view.rules]
    uses = [path for view in event.views for path in view.decided]
    reason, place = f"the overlay '{laid.name}' leaves no view that uses it", Position(overlay_file(laid.name))
    gone = [
        leaf
        for leaf in event.leaves()
        if any(leaf.under(path) for path in used) and not any(leaf.under(path) for path in uses)
    ]
    return [Never(_path(leaf), reason, place) for leaf in gone]


def _path(leaf: Leaf) -> Path:
    *before, last = (Step(name) for name in leaf.fields)
    return Path((*before, replace(last, keys=leaf.keys_only)))
