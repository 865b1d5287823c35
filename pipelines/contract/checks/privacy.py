"""Checks of handles and times: what a handle is, and that no record says a finer time than its view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.actions import Handle, Truncate
from pipelines.contract.avro import FieldClass
from pipelines.contract.checks.check import Check
from pipelines.contract.checks.classes import IDENTIFIERS, PROTECTED
from pipelines.contract.draft import Draft
from pipelines.contract.model import HOUR_MS
from pipelines.contract.report import Mistake
from pipelines.contract.section import spelled
from pipelines.contract.view import ViewDraft


def handle_class(draft: Draft) -> Iterator[Mistake]:
    """A handle of what is no identifier."""
    for _, _, line in draft.lines():
        allowed = line.class_ in IDENTIFIERS or line.class_ in PROTECTED or line.class_ is FieldClass.EVENT_ID
        if isinstance(line.rule.action, Handle) and not allowed:
            what = f"'{line.rule.path}' is of class {line.class_}: a handle is made of an identifier."
            yield Mistake(line.rule.position, what, "Use an action for its type, or fix the class in the raw schema.")


def handle_kind(draft: Draft) -> Iterator[Mistake]:
    """A handle of another kind than the purpose's."""
    for _, view, line in draft.lines():
        purpose = draft.purpose_of(view.topic)
        if purpose is None or not isinstance(line.rule.action, Handle) or line.class_ not in IDENTIFIERS:
            continue
        kind = IDENTIFIERS[line.class_]
        if kind != purpose.handle:
            has = f"{purpose.handle} handles" if purpose.handle else "no handles"
            article = "an" if kind == "account" else "a"
            what = f"'{line.rule.path}' identifies {article} {kind}, but '{purpose.name}' has {has}."
            yield Mistake(line.rule.position, what, "Use the purpose's identifier, or have the purpose reviewed anew.")


def one_handle(draft: Draft) -> Iterator[Mistake]:
    """A second handle in one view ties two identifiers together."""
    for _, view in draft.views():
        handles = [line for line in view.resolved if isinstance(line.rule.action, Handle)]
        for line in handles[1:]:
            what = f"A second handle; the first is '{handles[0].rule.path}'."
            yield Mistake(line.rule.position, what, "Keep one; two would tie two identifiers together.")


def mixed_topic(draft: Draft) -> Iterator[Mistake]:
    """Records without a handle beside records with one: order and time would tie them together."""
    with_handle = {view.topic: event.name for event, view in draft.views() if _has_handle(view)}
    for event, view in draft.views():
        if view.topic in with_handle and not _has_handle(view) and view.view is not None:
            what = (
                f"This view of '{event.name}' has no handle, but that of '{with_handle[view.topic]}' in this topic has."
            )
            yield Mistake(view.lines.position, what, "Give it a handle, or a topic of its own.")


def finer_time(draft: Draft) -> Iterator[Mistake]:
    """A time that is finer than the record's own, whatever its class: two clocks of one event tell one time."""
    for _, view, line in draft.lines():
        action = line.rule.action
        step = _step(view)
        if isinstance(action, Truncate) and action.step_ms < step:
            what = (
                f"'{line.rule.path}' is told to {spelled(action.step_ms)}, but the view's time only to {spelled(step)}."
            )
            yield Mistake(line.rule.position, what, "Truncate it at least as coarsely as occurred_at (1h without it).")


def rotation(draft: Draft) -> Iterator[Mistake]:
    """An epoch that does not begin and end with a step: the handle's epoch would say a finer time than the view."""
    for _, view in draft.views():
        purpose = draft.purpose_of(view.topic)
        if purpose is not None and purpose.rotate_ms % _step(view):
            every, step = spelled(purpose.rotate_ms), spelled(_step(view))
            what = f"'{purpose.name}' rotates every {every}, no multiple of the view's {step}."
            yield Mistake(view.lines.position, what, "Make the rotation a multiple of the view's step of time.")


def _step(view: ViewDraft) -> int:
    if view.view is not None:  # under an overlay it is at least as coarse as without, whatever the lines say
        return view.view.step_ms
    own = [line.rule.action for line in view.resolved if str(line.rule.path) == "occurred_at"]
    return next((action.step_ms for action in own if isinstance(action, Truncate)), HOUR_MS)


def _has_handle(view: ViewDraft) -> bool:
    return any(line.action == "handle" for line in view.lines.lines)


CHECKS: Final = (
    Check("handle-class", "A handle is made of an identifier.", handle_class),
    Check("handle-kind", "A view's handle is the one that its purpose names.", handle_kind),
    Check("handle-twice", "A view has one handle at most.", one_handle),
    Check("topic-mixes-handles", "No topic has views with and without a handle.", mixed_topic),
    Check("time-finer", "No time in a view is finer than the view's own.", finer_time),
    Check("rotate-step", "A purpose's rotation is a multiple of the step of each of its views.", rotation),
)
