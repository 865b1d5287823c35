"""What the views ask of one raw leaf, drawn together, so that a generated value suits all of them.

Only limits that end in a bound fault bind a value; a vocabulary with an `else` merely suggests one. A leaf that no view
takes a value from is droppable: it gets a canary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    MapTo,
    Matches,
    OneOf,
    Present,
    Scalar,
    Truncate,
    Within,
)
from pipelines.contract.model import Event


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on one leaf. None: no such limit. `allowed` and `suggested` are in a fixed order.

    `read` is how views read a text or a double.
    """

    droppable: bool
    handled: bool
    low: int | None
    high: int | None
    edges: tuple[int, ...]
    allowed: tuple[Scalar, ...] | None
    suggested: tuple[Scalar, ...]
    read: str | None = None


FREE = Limits(droppable=True, handled=False, low=None, high=None, edges=(), allowed=None, suggested=())


def limits_of(actions: Iterable[Action]) -> Limits:
    """Draw the actions of all views on one leaf together."""
    actions = tuple(actions)
    # Whole numbers are drawn, so that a fraction counts as the whole number above it.
    ranges = [tuple(ceil(edge) for edge in a.edges) for a in actions if isinstance(a, Bucket)]
    lows = [a.low for a in actions if isinstance(a, Within)] + [edges[0] for edges in ranges]
    highs = [a.high for a in actions if isinstance(a, Within)]
    vocabularies = [_vocabulary(action) for action in actions]
    binding = [words for words, binds in vocabularies if binds]
    allowed: tuple[Scalar, ...] | None = None
    if binding:
        others = [frozenset(words) for words in binding[1:]]
        allowed = tuple(word for word in binding[0] if all(word in other for other in others)) or binding[0]
    return Limits(
        droppable=all(isinstance(a, Present | Count | CountWhere) for a in actions),
        handled=any(isinstance(a, Handle) for a in actions),
        low=max(lows, default=None),
        high=min(highs, default=None),
        edges=max(ranges, key=len, default=()),
        allowed=allowed,
        suggested=next((words for words, binds in vocabularies if words and not binds), ()),
        read=next((a.read for a in actions if isinstance(a, Bucket | Truncate) and a.read is not None), None),
    )


def _vocabulary(action: Action) -> tuple[tuple[Scalar, ...], bool]:
    """The words that an action knows, and whether another word would be a bound fault."""
    match action:
        case OneOf(values, otherwise):
            return values, otherwise is None
        case MapTo(pairs, otherwise):
            return tuple(key for key, _ in pairs), otherwise is None
        case Matches():
            return action.strings, True
        case CountWhere(_, values):
            return values, False
        case _:
            return (), False


def actions_by_path(event: Event) -> dict[str, tuple[Action, ...]]:
    """Every path that a view of the event names (and the field that a `count_where` looks into), with its actions."""
    found: dict[str, list[Action]] = {}
    for view in event.views:
        for rule in view.rules:
            found.setdefault(str(rule.path), []).append(rule.action)
            if isinstance(rule.action, CountWhere):
                found.setdefault(f"{rule.path}[].{rule.action.field}", []).append(rule.action)
    return {path: tuple(actions) for path, actions in found.items()}
