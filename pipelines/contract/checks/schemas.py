"""Checks of raw schemas: told apart on the wire, identified and timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.applies import TIMESTAMPS
from pipelines.contract.avro import FieldClass, Nullable, Primitive
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.leaves import leaves
from pipelines.contract.model import RawSchema
from pipelines.contract.report import Mistake


def one_fingerprint(draft: Draft) -> Iterator[Mistake]:
    """Two files with one fingerprint: the worker could not tell which one a record was written with."""
    first: dict[bytes, RawSchema] = {}
    for schema in _schemas(draft):
        if (other := first.setdefault(schema.fingerprint, schema)) is not schema:
            what = f"This schema has the fingerprint of {other.position.file}."
            remedy = "Remove one, or make them differ in names, types, symbols or order (our attributes do not count)."
            yield Mistake(schema.position, what, remedy)


def event_id(draft: Draft) -> Iterator[Mistake]:
    """The event's own id: one leaf, at the top, called `event_id`."""
    for schema in _schemas(draft):
        ids = [leaf for leaf in leaves(schema.record) if leaf.class_ is FieldClass.EVENT_ID]
        if [leaf.spelled for leaf in ids] != ["event_id"] or isinstance(ids[0].field.type, Nullable):
            place = ids[-1].field.position if ids else schema.position
            found = ", ".join(leaf.spelled + " (nullable)" * isinstance(leaf.field.type, Nullable) for leaf in ids)
            what = f"A raw event has one field of class event_id, 'event_id', never null; found: {found or 'none'}."
            yield Mistake(place, what, "Add it or fix the classes.")


def occurred_at(draft: Draft) -> Iterator[Mistake]:
    """When the event happened: a timestamp at the top, called `occurred_at`."""
    for schema in _schemas(draft):
        field = schema.record.field("occurred_at")
        good = field is not None and field.class_ is FieldClass.EVENT_TIME and isinstance(field.type, Primitive)
        if field is None or not good or (isinstance(field.type, Primitive) and field.type.logical not in TIMESTAMPS):
            place = schema.position if field is None else field.position
            what = "A raw event has a field 'occurred_at' of class event_time, a timestamp, never null."
            yield Mistake(place, what, f"Add or fix it; logical types: {', '.join(TIMESTAMPS)}.")


def _schemas(draft: Draft) -> Iterator[RawSchema]:
    for _, event in sorted(draft.events.items()):
        yield from event.versions


CHECKS: Final = (
    Check("schema-fingerprint", "No two raw schemas have one fingerprint.", one_fingerprint),
    Check("schema-event-id", "Every raw event has one event_id.", event_id),
    Check("schema-occurred-at", "Every raw event says when it occurred.", occurred_at),
)
