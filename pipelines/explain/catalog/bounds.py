"""Bounds: for which values of an event type a view goes without it. What the walk refuses, told before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.contract.actions import Bucket, Count, CountWhere, Handle, MapTo, Matches, OneOf, Truncate, Within
from pipelines.contract.avro import AvroType, Enum, Fixed, Primitive
from pipelines.contract.model import Event, OutputArray, Rule
from pipelines.contract.reach import Reach, reach
from pipelines.contract.report import counted
from pipelines.minimize.faults import IDENTIFIER_SIZE, NOT_LISTED, OUT_OF_RANGE, TOO_MANY_ITEMS, UNPARSABLE


@dataclass(frozen=True, slots=True)
class Bound:
    """One reason for which views refuse a field's value; `topics` are theirs."""

    path: str
    code: str
    when: tuple[str, ...]
    topics: tuple[str, ...]


def bounds(event: Event) -> tuple[Bound, ...]:
    """All bounds of an event type's views, by path."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for view in event.views:
        for rule in view.bounding:
            for code, when in _of_rule(event, rule):
                found.setdefault((_spelled(rule), code, when), []).append(view.topic)
        for output in (*view.output, *view.guards):
            if isinstance(output, OutputArray):
                key = (str(output.source).removesuffix("[]"), TOO_MANY_ITEMS, _more(output.max_items))
                found.setdefault(key, []).append(view.topic)
    return tuple(
        Bound(path, code, (when,), tuple(dict.fromkeys(topics))) for (path, code, when), topics in sorted(found.items())
    )


def _spelled(rule: Rule) -> str:
    """The path as a quarantine note has it: as the schema spells it, without a map's key."""
    return ".".join(
        f"{step.field}[]" if step.items else f"{step.field}{{}}" if step.key is not None else step.field
        for step in rule.path.steps
    )


def _of_rule(event: Event, rule: Rule) -> Iterator[tuple[str, str]]:
    found = reach(event.versions, rule.path)
    places = found.found if isinstance(found, Reach) else ()
    types = [place.type for place in places]
    match rule.action:
        case Within(low, high):
            yield OUT_OF_RANGE, f"below {low}, or above {high}"
        case Bucket(edges, str() as reading):
            yield OUT_OF_RANGE, f"below {edges[0]}"
            yield UNPARSABLE, f"not a number as {reading} reads it"
        case Bucket(edges):
            yield OUT_OF_RANGE, f"below {edges[0]}, or not a number" if _floating(types) else f"below {edges[0]}"
        case Truncate(read=reading):
            yield OUT_OF_RANGE, "outside the years 1 to 9999"
            if reading is not None:
                yield UNPARSABLE, f"not a time as {reading} reads it"
        case OneOf(values, None, name):
            yield (
                NOT_LISTED,
                f"not in the list {name}" if name else f"none of the policy's {counted(len(values), 'word')}",
            )
        case Matches(pattern):
            yield NOT_LISTED, f"not what {pattern} matches"
        case MapTo(pairs, None) if not _all_mapped(types, {value for value, _ in pairs}):
            yield NOT_LISTED, f"none of the {len(pairs)} values of the policy"
        case Count() | CountWhere():
            for most in sorted({place.field.max_items for place in places if place.field.max_items is not None}):
                yield TOO_MANY_ITEMS, _more(most)
        case Handle() if not all(isinstance(one, Fixed) for one in types):
            yield IDENTIFIER_SIZE, "empty, or longer than 256 bytes"
        case _:
            pass


def _more(most: int) -> str:
    return f"more than {counted(most, 'item')}"


def _floating(types: list[AvroType]) -> bool:
    return any(isinstance(one, Primitive) and one.name in ("float", "double") for one in types)


def _all_mapped(types: list[AvroType], given: set[str | int | bool]) -> bool:
    def mapped(one: AvroType) -> bool:
        match one:
            case Enum(symbols=symbols):
                return given >= set(symbols)
            case Primitive(name="boolean"):
                return given >= {True, False}
            case _:
                return False

    return all(mapped(one) for one in types)
