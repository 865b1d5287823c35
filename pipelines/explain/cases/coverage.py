"""Coverage: which action of which view no case exercises.

An action is exercised when a case that passes shows each thing that it can do: say something (a value, at least one
item, that there is one), and, for an action that turns values away, turn one away: to its `else`, to null, or to
quarantine. A limited time is known to turn one away only where the raw field is never null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    MapTo,
    Matches,
    OneOf,
    Present,
    Within,
    is_limited,
)
from pipelines.contract.avro import Enum
from pipelines.contract.changes.spelling import action as spelled
from pipelines.contract.leaves import leaves
from pipelines.contract.model import Contract, Event, OutputArray, OutputField, Rule, View
from pipelines.contract.path import Path
from pipelines.contract.reach import Reach, reach
from pipelines.explain.cases.running import Run
from pipelines.explain.trial import Outgoing
from pipelines.minimize.faults import NOT_LISTED, OUT_OF_RANGE, UNPARSABLE

Deed = Literal["says something", "turns something away"]
SAYS: Final[Deed] = "says something"
TURNS_AWAY: Final[Deed] = "turns something away"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that one action of a view can do. `field` is the policy's path, `action` what it does."""

    event: str
    topic: str
    field: str
    action: str
    deed: Deed


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many actions there are, how many of them are exercised, and what is missing of the others."""

    actions: int
    exercised: int
    missing: tuple[Line, ...]


def cover(contract: Contract, runs: Iterable[Run], events: Iterable[str] = ()) -> Coverage:
    """What the cases that passed exercise of the views of some event types (of all, if none are named)."""
    chosen = set(events) or set(contract.events)
    asked = {name: event for name, event in sorted(contract.events.items()) if name in chosen}
    views = {(event.name, view.topic): view for event in asked.values() for view in event.views}
    done = {
        (run.case.event, one.topic, str(rule.path), deed)
        for run in runs
        if run.passed
        for one in run.trial.outgoing
        for rule, deed in _deeds(views[run.case.event, one.topic], one)
    }
    missing: list[Line] = []
    actions = exercised = 0
    for (event, topic), view in views.items():
        for rule in view.rules:
            deeds = [SAYS, TURNS_AWAY] if _turns_away(asked[event], rule) else [SAYS]
            lacking = [deed for deed in deeds if (event, topic, str(rule.path), deed) not in done]
            missing += [Line(event, topic, str(rule.path), spelled(rule.action), deed) for deed in lacking]
            actions += 1
            exercised += not lacking
    return Coverage(actions, exercised, tuple(missing))


def _deeds(view: View, got: Outgoing) -> Iterator[tuple[Rule, Deed]]:
    """What a view's actions were seen to do in one trial."""
    if got.outcome == "quarantined" and got.code in (OUT_OF_RANGE, NOT_LISTED, UNPARSABLE):
        yield from ((rule, TURNS_AWAY) for rule in view.rules if _in_schema(rule.path) == got.path)
    for output in view.output if got.record is not None else ():
        value = (got.record or {})[output.name]
        if isinstance(output, OutputField):
            yield from _said(output, value)
        else:
            yield from _said_of_items(output, value)


def _said_of_items(array: OutputArray, items: list[Mapping[str, Any]] | None) -> Iterator[tuple[Rule, Deed]]:
    for item in items or ():
        for field in array.fields:
            yield from _said(field, item[field.name])


def _said(field: OutputField, value: Any) -> Iterator[tuple[Rule, Deed]]:
    if value is None:
        if is_limited(field.rule.action):
            yield field.rule, TURNS_AWAY
        return
    match field.rule.action:
        case OneOf(values, otherwise):
            known: Iterable[str] = values
        case MapTo(pairs, otherwise):
            known = [text for _, text in pairs]
        case Count() | CountWhere() | Present():
            known, otherwise = [value] if value else [], None
        case _:
            known, otherwise = [value], None
    if value in known:
        yield field.rule, SAYS
    if otherwise is not None and value == otherwise:
        yield field.rule, TURNS_AWAY


def _turns_away(event: Event, rule: Rule) -> bool:
    """Whether there is a value that the action does not tell."""
    action: Action = rule.action
    if is_limited(action):
        found = reach(event.versions, rule.path)
        return isinstance(found, Reach) and not found.nullable
    if not isinstance(action, MapTo):
        return isinstance(action, Within | Bucket | OneOf | Matches)
    told = {given for given, _ in action.pairs}
    if told == {True, False} and all(isinstance(given, bool) for given in told):
        return False
    kinds = [leaf.bare for schema in event.versions for leaf in leaves(schema.record) if leaf.under(rule.path)]
    symbols = {symbol for kind in kinds if isinstance(kind, Enum) for symbol in kind.symbols}
    return not symbols or not symbols <= told


def _in_schema(path: Path) -> str:
    """A path as faults spell it: a map's key is not told."""
    return ".".join(
        f"{step.field}[]" if step.items else f"{step.field}{'{}' if step.key else ''}" for step in path.steps
    )
