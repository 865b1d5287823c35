"""Checks of names and docs: what is classed `metadata` and called `client_ip` is a question for a reviewer.

The same words count wherever a name can stand: a field, a map's key in a path, and `as`; and in what a field's `doc`
says of it. What values of a field look like is told by `pipelines lint-sample`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.contract.actions import Bucket, MapTo, Matches, OneOf, Within
from pipelines.contract.avro import AvroType, Enum, Field, FieldClass, Primitive, not_null
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.leaves import leaves
from pipelines.contract.logical import TIMES
from pipelines.contract.outputs import plain_name
from pipelines.contract.report import Mistake, shown
from pipelines.contract.view import Resolved, strictest

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.ASCII)
_PROSE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_TELLING: Final = frozenset(
    {
        *(
            "url",
            "urls",
            "uri",
            "uris",
            "urn",
            "host",
            "hosts",
            "hostnames",
            "hostname",
            "domain",
            "fqdn",
            "dns",
            "sni",
            "referer",
            "referrer",
        ),
        *("ip", "ips", "ipv4", "ipv6", "cidr", "subnet", "address", "addresses", "mac", "ssid", "bssid"),
        *(
            "imei",
            "imeis",
            "imsi",
            "imsis",
            "iccid",
            "msisdn",
            "phone",
            "phones",
            "telephone",
            "email",
            "emails",
            "mail",
        ),
        *("username", "login", "uuid", "uuids", "guid", "serial"),
        *("token", "tokens", "secret", "password", "passwd", "apikey", "cookie", "cookies", "jwt", "bearer"),
        *("latitude", "longitude", "lat", "lon", "lng", "gps", "geolocation", "coordinate", "coordinates"),
    }
)
_REMEDY: Final = 'Class it as what it holds; or, if a reviewer agreed, add "class_review": the review\'s id.'
_TELLS: Final = (Within, Bucket, OneOf, Matches, MapTo)


def of_fields(draft: Draft) -> Iterator[Mistake]:
    """A field classed `metadata` whose name says that it is not."""
    for _, event in sorted(draft.events.items()):
        for schema in event.versions:
            for leaf in leaves(schema.record):
                told = _telling(" ".join(leaf.fields))
                reviewed = leaf.class_ is not FieldClass.METADATA or leaf.field.class_review is not None
                if told and not reviewed and _could_tell(leaf.field.type):
                    what = f"'{leaf.spelled}' is classed metadata, but is called '{told}'."
                    yield Mistake(leaf.field.position, what, _REMEDY)


def of_docs(draft: Draft) -> Iterator[Mistake]:
    """A field classed `metadata` whose doc speaks of what it is not."""
    for _, event in sorted(draft.events.items()):
        for schema in event.versions:
            for leaf in leaves(schema.record):
                told = _telling(leaf.field.doc, prose=True)
                reviewed = leaf.class_ is not FieldClass.METADATA or leaf.field.class_review is not None
                if told and not reviewed and _could_tell(leaf.field.type) and not _telling(" ".join(leaf.fields)):
                    what = f"'{leaf.spelled}' is classed metadata, but its doc speaks of '{told}'."
                    yield Mistake(leaf.field.position, what, _REMEDY)


def of_rules(draft: Draft) -> Iterator[Mistake]:
    """A map's key or an `as` that says of something classed `metadata` that it is not."""
    for _, _, line in draft.lines():
        for told, what, fields in _said(line):
            classed = strictest(field.class_ for field in fields) is FieldClass.METADATA
            if classed and any(field.class_review is None for field in fields):
                remedy = (
                    f"Use `never`; or, if a reviewer agreed, add \"class_review\" to '{fields[0].name}' in the schema."
                )
                yield Mistake(line.rule.position, f"{what} of a field classed metadata says '{told}'.", remedy)


def _said(line: Resolved) -> Iterator[tuple[str, str, list[Field]]]:
    """The telling words of a line: the word, where it stands, and the fields whose review would accept it."""
    if _could_tell(line.type):
        keys = [step.key for step in line.rule.path.steps if step.key is not None]
        for at, key in enumerate(keys):
            if told := _telling(key):
                yield told, f"The key {shown(key)}", [reached.keyed[at] for reached in line.reach.found]
    named = line.rule.name != plain_name(line.rule.path) and isinstance(line.rule.action, _TELLS)
    if named and (told := _telling(line.rule.name)):
        yield told, f"The name '{line.rule.name}'", [reached.field for reached in line.reach.found]


def _telling(text: str, *, prose: bool = False) -> str | None:
    """The first word of a name (or of prose), in alphabetical order, that says what `metadata` does not."""
    words = [*_WORDS.findall(text), *(_PROSE.findall(text) if prose else ())]
    return min(_TELLING.intersection(word.lower() for word in words), default=None)


def _could_tell(avro_type: AvroType) -> bool:
    """A boolean, an enum, a date or a time cannot hold what the name says."""
    inner = not_null(avro_type)
    if isinstance(inner, Enum):
        return False
    return not (isinstance(inner, Primitive) and (inner.name == "boolean" or inner.logical in TIMES))


CHECKS: Final = (
    Check("class-name", "A field classed metadata whose name says otherwise has a class_review.", of_fields),
    Check("class-doc", "A field classed metadata whose doc speaks of something else has a class_review.", of_docs),
    Check(
        "class-name-in-view", "No map key and no `as` says of a field what its class_review did not accept.", of_rules
    ),
)
