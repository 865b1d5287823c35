"""Spelling: an action as one line of a comparison, close to how a policy writes it, its lists shortened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from pipelines.contract.actions import (
    Action,
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Scalar,
    Truncate,
    Within,
)
from pipelines.contract.report import counted
from pipelines.contract.section import spelled

_MOST: Final = 12


def action(done: Action) -> str:
    """The action, as a policy would have it, on one line."""
    match done:
        case Keep() | Count() | Present() | Handle():
            return type(done).__name__.lower()
        case Within(low, high):
            return f"within {low} to {high}"
        case Bucket(edges, read):
            return f"bucket {listed(map(str, edges))}{_read(read)}"
        case Truncate(step_ms, within_ms, read):
            limit = "" if within_ms is None else f" within {spelled(within_ms)}"
            return f"truncate {spelled(step_ms)}{limit}{_read(read)}"
        case OneOf(values, otherwise, list_name):
            known = f"list {list_name} ({counted(len(values), 'word')})" if list_name else listed(values)
            return f"one_of {known}{_else(otherwise)}"
        case Matches(pattern, longest, strings):
            return f"matches {pattern}, max {longest} ({len(strings):,} texts)"
        case MapTo(pairs, otherwise):
            return f"map {listed(f'{_value(given)}: {text}' for given, text in pairs)}{_else(otherwise)}"
        case CountWhere(field, values):
            return f"count_where {field} in {listed(map(_value, values))}"
    assert_never(done)


def difference(old: Action, new: Action) -> str:
    """Both actions; for lists that stay long, what came and what went."""
    said = f"{action(old)} → {action(new)}"
    before, after = _texts(old), _texts(new)
    if not before or not after or before == after:
        return said
    came, went = sorted(after - before), sorted(before - after)
    more = [f"came: {listed(came)}"] if came else []
    less = [f"went: {listed(went)}"] if went else []
    return f"{said} ({'; '.join([*more, *less])})"


def listed(words: Iterable[str]) -> str:
    """Words in brackets, the first of them when there are many."""
    known = list(words)
    shown = ", ".join(known[:_MOST])
    return f"[{shown}]" if len(known) <= _MOST else f"[{shown} … {len(known):,} in all]"


def _texts(done: Action) -> set[str]:
    match done:
        case OneOf(values):
            return set(values)
        case MapTo(pairs):
            return {f"{_value(given)}: {text}" for given, text in pairs}
        case CountWhere(_, values):
            return {_value(value) for value in values}
        case _:
            return set()


def _read(rule: str | None) -> str:
    return "" if rule is None else f", read as {rule}"


def _value(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _else(otherwise: str | None) -> str:
    return "" if otherwise is None else f" else '{otherwise}'"
