"""Checks of handles and times: what a handle is, and that no record says a finer time than its view."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Final

from pipelines.contract.actions import Handle, Truncate
from pipelines.contract.avro import FieldClass
from pipelines.contract.checks.check import Check
from pipelines.contract.checks.classes import IDENTIFIERS, PROTECTED
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
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
    """A time whose edges are not all edges of the record's own time, whatever its class.

    Two clocks of one event tell one time, so a step that is coarser but no multiple tells a finer time, too: the hours
    at which a step of 3h and one of 2h begin are one hour apart.
    """
    for _, view, line in draft.lines():
        action = line.rule.action
        step = _step(view)
        if isinstance(action, Truncate) and action.step_ms % step:
            what = (
                f"'{line.rule.path}' is truncated to {spelled(action.step_ms)}, which is not a multiple of the "
                f"{spelled(step)} of the view's time."
            )
            yield Mistake(
                line.rule.position, what, "Truncate it to a multiple of the step of occurred_at (1h without it)."
            )


def crossing_times(draft: Draft) -> Iterator[Mistake]:
    """Two times of one event and purpose of which neither step divides the other: together they tell a finer time.

    The views of one purpose and event type count as one, because their records share the event id.
    """
    for _, event in sorted(draft.events.items()):
        known: dict[str, list[tuple[int, str]]] = {}
        for view in event.views:
            steps = known.setdefault(view.topic.partition(".")[2], [])
            for step, name, position in _times(view):
                other = next((one for one in steps if one[0] % step and step % one[0]), None)
                if other is not None:
                    what = (
                        f"{name} is truncated to {spelled(step)} and {other[1]} to {spelled(other[0])}: "
                        f"together they tell a time to {spelled(gcd(step, other[0]))}."
                    )
                    yield Mistake(position, what, "Choose steps of which one is a multiple of the other.")
                steps.append((step, f"{name} for {view.topic}"))


def _times(view: ViewDraft) -> Iterator[tuple[int, str, Position]]:
    """Yield the times of a view, each with its step, its name and its place, less those that are `time-finer`."""
    own = _step(view)
    yield own, "the view's time", view.lines.position
    for line in view.resolved:
        action = line.rule.action
        if isinstance(action, Truncate) and action.step_ms % own == 0 and action.step_ms != own:
            yield action.step_ms, f"'{line.rule.path}'", line.rule.position


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
    Check("time-finer", "The step of each time in a view is a multiple of that of the view's own.", finer_time),
    Check("time-crossing", "Of two times of one event and purpose, one step divides the other.", crossing_times),
    Check("rotate-step", "A purpose's rotation is a multiple of the step of each of its views.", rotation),
)
