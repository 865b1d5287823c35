"""What a purpose receives, as one plain value, and its digest: what a review signs as `covers`.

The value has the answers and terms of the purpose, the promises of its topics and its views field by field, with lists
and patterns expanded to the texts that they let through. Places, comments, order, spellings of one meaning, the review
itself and what no consumer meets (partitions, producers, `never`) are not in it. docs/contract.md tells a reader the
same. Whoever changes what is in here makes every signed review void: raise `FORMAT` then, and say so in the CHANGELOG.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any, Final, assert_never

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
    Truncate,
    Within,
)
from pipelines.contract.avro import AvroType, Enum, Fixed, Nullable, Primitive
from pipelines.contract.leaves import Leaf, leaves
from pipelines.contract.model import Contract, Event, OutputField, Purpose, Rule, Topic, View
from pipelines.contract.path import Path
from pipelines.contract.reach import Reach, reach

FORMAT: Final = "review-3"
"""The newest recipe. It says that views are relayed live, and that `max_bits` holds for all topics of an event type."""
OLDER: Final = ("review-2",)
"""Recipes that are still read, the newest first: to say what was signed, never to let a purpose receive it."""


def digest_of(contract: Contract, purpose: str, recipe: str = FORMAT) -> str:
    """What a review of this purpose must say as `covers`: 64 hexadecimal digits, the SHA-256 of what it receives.

    Raises:
        KeyError: the contract has no such purpose.
    """
    return sha256_of(received(contract, purpose, recipe))


def sha256_of(plain: dict[str, Any]) -> str:
    """Return the SHA-256, in 64 hexadecimal digits, of a value written as canonical JSON in ASCII."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def recipe_of(contract: Contract, purpose: str, covers: str) -> str | None:
    """Return the recipe, the newest or an older one, under which a digest is that of what the purpose receives."""
    return next((recipe for recipe in (FORMAT, *OLDER) if digest_of(contract, purpose, recipe) == covers), None)


def unsigned_purposes(contract: Contract) -> frozenset[str]:
    """The purposes without a review, or whose review covers something else than what they receive.

    Args:
        contract: without an overlay; what an overlay takes away needs no signature.
    """
    covers = {name: "" if one.review is None else one.review.covers for name, one in contract.purposes.items()}
    return frozenset(name for name, signed in covers.items() if not signed or signed != digest_of(contract, name))


def received(contract: Contract, purpose: str, recipe: str = FORMAT) -> dict[str, Any]:
    """What a purpose receives, as JSON would say it, in the canonical form of a recipe."""
    topics = [topic for topic in contract.topics.values() if topic.purpose == purpose]
    views = [(event, view) for event in contract.events.values() for view in event.views if view.purpose == purpose]
    said = {
        "format": recipe,
        "purpose": _terms(contract.purposes[purpose]),
        "topics": {topic.name: _promise(topic) for topic in topics},
        "views": {f"{event.name} > {view.topic}": _view(event, view) for event, view in views},
    }
    return said if recipe == "review-2" else {**said, "relayed": "live", "max_bits_of": "event"}


def _terms(purpose: Purpose) -> dict[str, Any]:
    return {
        "name": purpose.name,
        "description": purpose.description,
        "objective": purpose.objective,
        "iri": purpose.iri,
        "legal_basis": purpose.legal_basis,
        "answers": asdict(purpose.answers),
        "handle": purpose.handle,
        "rotate_ms": purpose.rotate_ms,
        "max_bits": purpose.max_bits,
    }


def _promise(topic: Topic) -> dict[str, Any]:
    return {"ttl_ms": topic.ttl_ms, "late_ms": topic.late_ms, "consumers": sorted(topic.consumers)}


def _view(event: Event, view: View) -> dict[str, Any]:
    held = _leaves(event)
    fields: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for output in view.output:
        if isinstance(output, OutputField):
            fields[str(output.rule.path)] = _field(event, held, output)
        else:
            bounds = {"name": output.name, "max_items": output.max_items, "nullable": output.nullable}
            arrays[str(output.source)] = bounds
            fields |= {str(field.rule.path): _field(event, held, field) for field in output.fields}
    return {"time_step_ms": view.step_ms, "fields": fields, "arrays": arrays}


def _field(event: Event, held: tuple[Leaf, ...], field: OutputField) -> dict[str, Any]:
    said = {
        "name": field.name,
        "type": _type(field.type),
        "action": _action(field.rule.action),
        "classes": _classes(held, field.rule.path),
    }
    bounds = counted_up_to(event, field.rule)
    return said if bounds is None else {**said, "counted_up_to": bounds}


def counted_up_to(event: Event, rule: Rule) -> list[int | None] | None:
    """The `max_items` that the versions of the raw schema give what a rule counts, None where one gives none.

    None when the rule counts nothing. A count says no more than it, and of more items there is no record.
    """
    found = reach(event.versions, rule.path) if isinstance(rule.action, Count | CountWhere) else None
    if not isinstance(found, Reach):
        return None
    bounds = {reached.field.max_items for reached in found.found}
    return sorted(bounds, key=lambda bound: (bound is None, bound))


def classes(event: Event, path: Path) -> list[str]:
    """The classes, over all versions, of what a path names and of the keys of the maps that it takes an entry of."""
    return _classes(_leaves(event), path)


def _leaves(event: Event) -> tuple[Leaf, ...]:
    return tuple(leaf for schema in event.versions for leaf in leaves(schema.record))


def _classes(all_leaves: tuple[Leaf, ...], path: Path) -> list[str]:
    names = tuple(step.field for step in path.steps)
    told = (
        leaf.class_
        for leaf in all_leaves
        if leaf.under(path) or (leaf.keys_only and leaf.fields == names[: len(leaf.fields)])
    )
    return sorted({class_.value for class_ in told if class_ is not None})


def _type(avro_type: AvroType) -> Any:
    match avro_type:
        case Nullable(inner=inner):
            return {"null_or": _type(inner)}
        case Enum(_, symbols):
            return {"enum": sorted(symbols)}
        case Fixed(_, size):
            return {"fixed": size}
        case Primitive(name, logical):
            return name if logical is None else f"{name}.{logical}"
        case _:
            raise TypeError("a view gives scalars and arrays of records, nothing else")


def _action(action: Action) -> dict[str, Any]:
    match action:
        case Keep() | Count() | Present() | Handle():
            return {"do": type(action).__name__.lower()}
        case Within(low, high):
            return {"do": "within", "low": low, "high": high}
        case Bucket(edges, read):
            return {"do": "bucket", "edges": edges, **_reading(read)}
        case Truncate(step_ms, within_ms, read):
            limit = {} if within_ms is None else {"within_ms": within_ms}
            return {"do": "truncate", "step_ms": step_ms, **limit, **_reading(read)}
        case OneOf(values, otherwise):
            return {"do": "one_of", "values": sorted(set(values)), "else": otherwise}
        case Matches(strings=strings):
            return {"do": "matches", "language": _language(strings), "texts": len(set(strings))}
        case MapTo(pairs, otherwise):
            return {"do": "map", "pairs": sorted(pairs, key=json.dumps), "else": otherwise}
        case CountWhere(field, values):
            return {"do": "count_where", "field": field, "values": sorted(values, key=json.dumps)}
    assert_never(action)


def _reading(read: str | None) -> dict[str, str]:
    """How a value is read, only where a rule says it: digests of rules without one stay as they are."""
    return {} if read is None else {"read": read}


def _language(strings: tuple[str, ...]) -> str:
    """A digest of the texts that a pattern accepts: two patterns that accept the same are the same."""
    return hashlib.sha256(json.dumps(sorted(set(strings))).encode("ascii")).hexdigest()
