"""Checks of privacy: what a class allows, what a handle is, and that no record says a finer time than its view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.actions import Count, CountWhere, Handle, Present, Truncate
from pipelines.contract.avro import FieldClass
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft, EventDraft
from pipelines.contract.model import HOUR_MS
from pipelines.contract.path import Path, Step
from pipelines.contract.reach import Reach, reach
from pipelines.contract.report import Mistake
from pipelines.contract.section import spelled
from pipelines.contract.view import Resolved, ViewDraft, strictest

PROTECTED: Final = (FieldClass.CONTENT, FieldClass.CREDENTIAL, FieldClass.NETWORK_IDENTIFIER)
IDENTIFIERS: Final = {FieldClass.DEVICE_IDENTIFIER: "device", FieldClass.ACCOUNT_IDENTIFIER: "account"}


def protected(draft: Draft) -> Iterator[Mistake]:
    """Content, credentials and network identifiers: how many there are and whether there is one, no more."""
    for event, _, line in _lines(draft):
        class_ = line.class_
        if isinstance(line.rule.action, CountWhere):
            class_ = _compared_class(event, line) or class_
            allowed = class_ not in PROTECTED
        else:
            allowed = class_ not in PROTECTED or isinstance(line.rule.action, (Count, Present))
        if not allowed and class_ is not None:
            what = f"'{_told(line)}' is of class {class_}: only `count` of arrays and maps, `present`, or nothing."
            yield Mistake(line.rule.position, what, "Use one of these, or `never`.")


def identifiers(draft: Draft) -> Iterator[Mistake]:
    """Identifiers: under a handle or not at all."""
    for event, _, line in _lines(draft):
        class_ = _compared_class(event, line) or line.class_
        if class_ in IDENTIFIERS and not isinstance(line.rule.action, Handle):
            what = f"'{_told(line)}' is of class {class_}: only `handle`, or nothing."
            yield Mistake(line.rule.position, what, "Use `handle` where the purpose names it, or `never`.")


def event_ids(draft: Draft) -> Iterator[Mistake]:
    """The producer's event id would tie the views of one event together."""
    for event, _, line in _lines(draft):
        if FieldClass.EVENT_ID in (line.class_, _compared_class(event, line)):
            what = f"'{_told(line)}' is of class event_id, which no view may use."
            yield Mistake(line.rule.position, what, "Remove the line; every record gets an id of its own (ce_id).")


def event_times(draft: Draft) -> Iterator[Mistake]:
    """When something happened: to the view's step, since any other action could tell it exactly."""
    for event, _, line in _lines(draft):
        class_ = _compared_class(event, line) or line.class_
        told = (Truncate, Present, Count, Handle)  # a handle of a time is another check's matter
        if class_ is FieldClass.EVENT_TIME and not isinstance(line.rule.action, told):
            what = f"'{_told(line)}' is of class event_time: only `truncate`, `present`, `count`, or nothing."
            yield Mistake(line.rule.position, what, "Make it a timestamp and truncate it, or `never`.")


def handle_class(draft: Draft) -> Iterator[Mistake]:
    """A handle of what is no identifier."""
    for _, _, line in _lines(draft):
        allowed = line.class_ in IDENTIFIERS or line.class_ in PROTECTED or line.class_ is FieldClass.EVENT_ID
        if isinstance(line.rule.action, Handle) and not allowed:
            what = f"'{line.rule.path}' is of class {line.class_}: a handle is made of an identifier."
            yield Mistake(line.rule.position, what, "Use an action for its type, or mend the class in the raw schema.")


def handle_kind(draft: Draft) -> Iterator[Mistake]:
    """A handle of another kind than the purpose's."""
    for _, view, line in _lines(draft):
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
    """A time of the event that is finer than the record's own."""
    for _, view, line in _lines(draft):
        action = line.rule.action
        step = _step(view)
        if line.class_ is FieldClass.EVENT_TIME and isinstance(action, Truncate) and action.step_ms < step:
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


def _lines(draft: Draft) -> Iterator[tuple[EventDraft, ViewDraft, Resolved]]:
    for event, view in draft.views():
        for line in view.resolved:
            yield event, view, line


def _step(view: ViewDraft) -> int:
    own = [line.rule.action for line in view.resolved if str(line.rule.path) == "occurred_at"]
    return next((action.step_ms for action in own if isinstance(action, Truncate)), HOUR_MS)


def _has_handle(view: ViewDraft) -> bool:
    return any(line.action == "handle" for line in view.lines.lines)


def _told(line: Resolved) -> str:
    """The path whose value an action tells of: `count_where` tells of the field that it compares."""
    action = line.rule.action
    return f"{line.rule.path}[].{action.field}" if isinstance(action, CountWhere) else str(line.rule.path)


def _compared_class(event: EventDraft, line: Resolved) -> FieldClass | None:
    """The class of the field that `count_where` compares; None for every other action."""
    if not isinstance(line.rule.action, CountWhere):
        return None
    *before, last = line.rule.path.steps
    found = reach(event.versions, Path((*before, Step(last.field, items=True), Step(line.rule.action.field))))
    return strictest(one.field.class_ for one in found.found) if isinstance(found, Reach) else None


CHECKS: Final = (
    Check(
        "class-protected",
        "Of content, credentials and network identifiers only counts and presence are told.",
        protected,
    ),
    Check("class-identifier", "An identifier is under a handle or not there.", identifiers),
    Check("class-event-id", "No view uses an event_id.", event_ids),
    Check("class-event-time", "A time of the event is truncated, or only said to be there.", event_times),
    Check("handle-class", "A handle is made of an identifier.", handle_class),
    Check("handle-kind", "A view's handle is the one that its purpose names.", handle_kind),
    Check("handle-twice", "A view has one handle at most.", one_handle),
    Check("topic-mixes-handles", "No topic has views with and without a handle.", mixed_topic),
    Check("time-finer", "No time in a view is finer than the view's own.", finer_time),
    Check("rotate-step", "A purpose's rotation is a multiple of the step of each of its views.", rotation),
)
