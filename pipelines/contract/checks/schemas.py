"""Checks of raw schemas: told apart on the wire, identified, timed, and honest about names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.contract.applies import TIMESTAMPS
from pipelines.contract.avro import Enum, FieldClass, Nullable, Primitive, not_null
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.leaves import Leaf, leaves
from pipelines.contract.model import RawSchema
from pipelines.contract.report import Mistake

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.ASCII)
_TELLING: Final = frozenset(
    {
        *("url", "urls", "uri", "host", "hosts", "hostname", "domain", "fqdn", "dns", "sni", "referer", "referrer"),
        *("ip", "ips", "ipv4", "ipv6", "cidr", "subnet", "address", "addresses", "mac", "ssid", "bssid"),
        *("imei", "imsi", "iccid", "msisdn", "phone", "email", "mail", "username"),
        *("token", "tokens", "secret", "password", "passwd", "apikey", "cookie", "cookies"),
        *("latitude", "longitude", "lat", "lon", "lng", "gps"),
    }
)


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
            yield Mistake(place, what, "Add it or mend the classes.")


def occurred_at(draft: Draft) -> Iterator[Mistake]:
    """When the event happened: a timestamp at the top, called `occurred_at`."""
    for schema in _schemas(draft):
        field = schema.record.field("occurred_at")
        good = field is not None and field.class_ is FieldClass.EVENT_TIME and isinstance(field.type, Primitive)
        if field is None or not good or (isinstance(field.type, Primitive) and field.type.logical not in TIMESTAMPS):
            place = schema.position if field is None else field.position
            what = "A raw event has a field 'occurred_at' of class event_time, a timestamp, never null."
            yield Mistake(place, what, f"Add or mend it; logical types: {', '.join(TIMESTAMPS)}.")


def telling_name(draft: Draft) -> Iterator[Mistake]:
    """A field classed `metadata` whose name says that it is not."""
    for schema in _schemas(draft):
        for leaf in leaves(schema.record):
            told = sorted(_TELLING.intersection(word.lower() for word in _WORDS.findall(" ".join(leaf.fields))))
            if leaf.class_ is FieldClass.METADATA and told and leaf.field.class_review is None and _could_tell(leaf):
                what = f"'{leaf.spelled}' is classed metadata, but is called '{told[0]}'."
                remedy = 'Class it as what it holds; or, if a reviewer agreed, add "class_review": the review\'s id.'
                yield Mistake(leaf.field.position, what, remedy)


def _could_tell(leaf: Leaf) -> bool:
    """A boolean, an enum, a date or a time cannot hold what the name says."""
    inner = not_null(leaf.field.type)
    if isinstance(inner, Enum):
        return False
    return not (isinstance(inner, Primitive) and (inner.name == "boolean" or inner.logical in _TIMES))


_TIMES: Final = (*TIMESTAMPS, *(f"local-{name}" for name in TIMESTAMPS), "date", "time-millis", "time-micros")


def _schemas(draft: Draft) -> Iterator[RawSchema]:
    for _, event in sorted(draft.events.items()):
        yield from event.versions


CHECKS: Final = (
    Check("schema-fingerprint", "No two raw schemas have one fingerprint.", one_fingerprint),
    Check("schema-event-id", "Every raw event has one event_id.", event_id),
    Check("schema-occurred-at", "Every raw event says when it occurred.", occurred_at),
    Check("class-name", "A field classed metadata whose name says otherwise has a class_review.", telling_name),
)
