"""Telling: what a view's rules say under an overlay, against what they say without it.

Three things are held of each rule that is not the contract's own. What it tells follows from what the contract's rule
tells. It can say no more different things, so that no count of bits grows. And it holds back nothing that the contract
lets through: a note in quarantine would tell its readers of a value that they do not learn of without the overlay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipelines.contract.actions import OneOf
from pipelines.contract.bits import rule_count
from pipelines.contract.changes.order import follows, held_back
from pipelines.contract.changes.spelling import action
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, Rule
from pipelines.contract.overlay.laid import Edit
from pipelines.contract.view import Resolved

_LESS: Final = "An overlay may only make things tighter: remove the line, or change the contract and have it reviewed."
_MERGE: Final = "Say something coarser of it (`else`, `map`, `present`), or remove the field from the view."


class Told(NamedTuple):
    """What is wrong with a line of an overlay, and how to fix it."""

    at: Position
    what: str
    remedy: str = _LESS


def rule_tells(draft: Draft, base: Contract, edit: Edit) -> Iterator[Told]:
    """What is wrong with a rule that an overlay says anew."""
    _, event, topic, path = edit.thing
    line, rule = _line(draft, edit), _base_rule(base, event, topic, edit.at)
    if line is None or rule is None:
        return
    versions = draft.events[event].versions
    does, did = f"'{path}' would tell `{action(line.rule.action)}`", f"the contract's `{action(rule.action)}`"
    if not follows(rule.action, line.rule.action, line.type):
        yield Told(edit.here.position, f"{does}, which does not follow from {did}")
    elif held := held_back(rule.action, line.rule.action, line.type):
        yield Told(edit.here.position, f"{does}, which holds back {_first(held)}: {did} lets it through", _MERGE)
    elif (new := rule_count(versions, line.rule)) > (old := rule_count(versions, rule)):
        yield Told(edit.here.position, f"{does}, which can say {new:,} things; {did} can say {old:,}")


def list_tells(draft: Draft, base: Contract, edit: Edit) -> Iterator[Told]:
    """What a shortened list does to the rules that use it and that the overlay leaves as they are."""
    for event, view, line in draft.lines():
        rule = _base_rule(base, event.name, view.topic, line.rule.position)
        if rule is None or not _uses(line, edit.thing[1]):
            continue
        if held := held_back(rule.action, line.rule.action, line.type):
            does = f"'{rule.path}' in '{view.topic}' would hold back {_first(held)}"
            what = f"{does}: its rule has no `else` ({rule.position})"
            remedy = (
                f"Give it one in the overlay, with {{one_of: {{list: {edit.thing[1]}}}, else: …}}, or keep the word."
            )
            yield Told(edit.here.position, f"{what}. The list is the contract's", remedy)


def says_the_same(draft: Draft, base: Contract, edit: Edit) -> bool:
    """Whether a rule is the contract's own, word for word or in other ones."""
    _, event, topic, _ = edit.thing
    line, rule = _line(draft, edit), _base_rule(base, event, topic, edit.at)
    return line is not None and rule is not None and line.rule.action == rule.action


def _line(draft: Draft, edit: Edit) -> Resolved | None:
    _, event, topic, _ = edit.thing
    views = [view for view in draft.events[event].views if view.topic == topic]
    lines = [line for view in views for line in view.resolved]
    return next((line for line in lines if line.rule.position == edit.here.position), None)


def _base_rule(base: Contract, event: str, topic: str, at: Position) -> Rule | None:
    found = base.events.get(event)
    views = () if found is None else [view for view in found.views if view.topic == topic]
    return next((rule for view in views for rule in view.rules if rule.position == at), None)


def _uses(line: Resolved, name: str) -> bool:
    return isinstance(line.rule.action, OneOf) and line.rule.action.list_name == name


def _first(held: list[str]) -> str:
    return held[0] if len(held) == 1 else f"{held[0]} and {len(held) - 1:,} more"
