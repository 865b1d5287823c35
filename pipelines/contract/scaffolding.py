"""Scaffolds: the first lines of an event type, a purpose or a view, for a person to complete. Texts only; no I/O.

What nobody has decided yet is the strictest: a field is `content` and in `never`, and an answer is TODO, which
`pipelines validate` refuses. So a scaffold that is left as it is lets nothing out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from pipelines.contract.avro import Enum, FieldClass, Primitive, not_null
from pipelines.contract.findings import Position
from pipelines.contract.folder import TOPICS
from pipelines.contract.leaves import Leaf
from pipelines.contract.model import DAY_MS, USUAL_CHANGES, ChangesTopic, QuarantineTopic, RawTopic
from pipelines.contract.pipeline_topics import CHANGES, LONGEST_MS, QUARANTINE, RAW
from pipelines.contract.raw_schema import FOREIGN
from pipelines.contract.section import spelled

_MAX_SYMBOLS: Final = 64
_UNDECIDED: Final = "not decided yet"
_BY_NAME: Final = {
    "event_id": "event_id",
    "occurred_at": "event_time",
    "device_id": "device_identifier",
    "account_id": "account_identifier",
    "user_id": "account_identifier",
}
_IDENTIFIERS: Final = {"device": FieldClass.DEVICE_IDENTIFIER, "account": FieldClass.ACCOUNT_IDENTIFIER}
_LEFT_OUT: Final = re.compile(rf"{FOREIGN.pattern}|aliases|order")
_YEAR: Final = timedelta(days=365)

_READERS: Final = ("pipeline-operators",)
NEW_TOPICS: Final = f"""\
raw: {{}}
minimized: {{}}
quarantine: {{topic: quarantine, ttl: 7d, partitions: 1, consumers: [{_READERS[0]}]}}
"""


_PIPELINE_TOPICS: Final = {
    RAW: (
        "The minimizer reads each event once; the rest of the time is for a replay after a wrong policy",
        "Events of a fault can be replayed after it was fixed",
    ),
    QUARANTINE: (
        "Operators find the producer that broke a bound, and retry the events while the raw topic has them",
        "A bound that many events break at once is noticed",
    ),
    CHANGES: (
        "An operator sees what was changed before, and by whom",
        "Nobody can keep records for longer, or replay them, without leaving proof of it",
    ),
}


class NotBlockStyle(ValueError):  # noqa: N818 - the file is right, and only a person can add to it
    """A file is written in a way that no line can be added to; the argument is the lines to add by hand."""


def new_schema(event: str, given: Mapping[str, Any] | None = None) -> str:
    """The first version of a raw schema, as JSON text: each leaf has a class.

    Args:
        event: `source.event`.
        given: an Avro schema to begin with, as parsed JSON; its foreign attributes are left out.
    """
    source, _, name = event.partition(".")
    if given is None:
        fields: list[dict[str, Any]] = [
            {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}},
            {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "device_id", "type": "string"},
        ]
        record = "".join(part.capitalize() for part in name.split("-"))
        given = {"type": "record", "name": record, "namespace": source.replace("-", "_"), "fields": fields}
    return json.dumps(_classed(given), indent=2, ensure_ascii=False) + "\n"


def _classed(schema: Any) -> Any:
    match schema:
        case {"type": "record", "fields": list(fields)}:
            kept = {key: value for key, value in schema.items() if not _LEFT_OUT.fullmatch(key)}
            return {**kept, "fields": [_field(field) for field in fields]}
        case dict():
            return {key: _classed(value) for key, value in schema.items() if not _LEFT_OUT.fullmatch(key)}
        case list():
            return [_classed(item) for item in schema]
        case _:
            return schema


def _field(field: Any) -> Any:
    if not isinstance(field, dict):
        return field
    kept = {key: value for key, value in field.items() if not _LEFT_OUT.fullmatch(key)}
    kept["type"] = _classed(kept.get("type"))
    if "class" not in kept and not _holds_record(kept["type"]):
        kept["class"] = _BY_NAME.get(str(kept.get("name")), "content")
    return kept


def _holds_record(schema: Any) -> bool:
    """Whether a type is a record, or an array or union of records; a map of records needs a class for its keys."""
    match schema:
        case {"type": "record"}:
            return True
        case {"type": "array", "items": inner} | {"type": dict() as inner}:
            return _holds_record(inner)
        case list():
            return any(_holds_record(item) for item in schema)
        case _:
            return False


def new_policy(event: str, leaves: Sequence[Leaf]) -> str:
    """A policy that lets nothing out."""
    paths = dict.fromkeys(_decidable(leaf.spelled) for leaf in leaves if leaf.class_ is not FieldClass.EVENT_ID)
    never = "".join(f"  {_key(path)}: {_UNDECIDED}\n" for path in paths)
    return f"event: {event}\nviews: {{}}\nnever:\n{never}"


def new_purpose(name: str) -> str:
    """A purpose whose questions are open and which nobody has reviewed."""
    questions = ("question", "need", "alternatives", "how_long", "who", "user_control")
    asked = "".join(f"  {question}: TODO\n" for question in questions)
    return (
        f"{name}:\n  description: TODO\n  objective: operational\n  iri: TODO\n  legal_basis: TODO\n{asked}"
        "  handle: device\n  rotate: 1d\n  max_bits: 32\n"
    )


def new_pipeline_topics(
    raw: Mapping[str, RawTopic], quarantine: QuarantineTopic, changes: ChangesTopic = USUAL_CHANGES
) -> str:
    """The reviews of topics that serve no purpose, as these are now, for a person to complete and to sign.

    A topic that is kept for longer than a review can allow gets the longest that one can.
    """
    lines = ["# Topics that serve no purpose: why they are kept, for how long at most, and who may read them."]
    now: dict[str, tuple[int, Sequence[str]]] = {
        RAW: (max((topic.ttl_ms for topic in raw.values()), default=LONGEST_MS[RAW]), ()),
        QUARANTINE: (quarantine.ttl_ms, quarantine.consumers),
        CHANGES: (changes.ttl_ms, changes.consumers),
    }
    for subject, (ttl_ms, consumers) in now.items():
        product, security = _PIPELINE_TOPICS[subject]
        lines += [
            f"{subject}:",
            "  basis:",
            f"    product: {product}",
            f"    security: {security}",
            "    legal: TODO",
            f"  max_ttl: {spelled(min(ttl_ms, LONGEST_MS[subject]))}",
            f"  consumers: [{', '.join(consumers)}]",
        ]
    return "\n".join([*lines, ""])


def first_pipeline_topics() -> str:
    """The reviews of topics that serve no purpose, in a contract that begins with `NEW_TOPICS`."""
    noted = QuarantineTopic("quarantine", 7 * DAY_MS, 1, _READERS, Position(TOPICS))
    return new_pipeline_topics({}, noted)


def raw_topic(event: str) -> list[str]:
    """The line of a raw topic in topics.yaml."""
    return [f"  raw.{event}: {{ttl: 24h, partitions: 2, producers: [{event.partition('.')[0]}-service]}}"]


def minimized_topic(topic: str, today: date) -> list[str]:
    """The lines of a minimized topic in topics.yaml, with a basis that says nothing yet."""
    return [
        f"  {topic}:",
        "    ttl: 72h",
        "    partitions: 2",
        f"    consumers: [{topic.partition('.')[2]}-team]",
        f"    basis: {{product: TODO, security: TODO, legal: TODO, reviewed: {today}, expires: {today + _YEAR}}}",
    ]


def new_view(topic: str, handle: str | None, leaves: Sequence[Leaf]) -> tuple[list[str], list[str]]:
    """The lines of a view, and the leaves that it uses: the handle, the hour, and what `keep` fits.

    Args:
        topic: the view's topic.
        handle: the kind of handle that the purpose names.
        leaves: those of the event type's newest schema.
    """
    lines, used = [f"  {topic}:"], list[str]()
    for leaf in leaves:
        rule = _rule(leaf, handle, used)
        if rule is not None:
            lines.append(f"    {_key(leaf.spelled)}: {rule}")
            used.append(leaf.spelled)
            handle = None if rule == "handle" else handle
    return lines, used


def _rule(leaf: Leaf, handle: str | None, used: Sequence[str]) -> str | None:
    if "[]" in leaf.spelled or "{}" in leaf.spelled:
        return None
    bare = not_null(leaf.field.type)
    match leaf.class_:
        case FieldClass.EVENT_TIME if leaf.spelled == "occurred_at" or not used:
            return "{truncate: {to: 1h, within: 72h}}"
        case FieldClass.METADATA:
            small = isinstance(bare, Enum) and len(bare.symbols) <= _MAX_SYMBOLS
            return "keep" if small or (isinstance(bare, Primitive) and bare.name == "boolean") else None
        case class_ if handle is not None and class_ is _IDENTIFIERS.get(handle):
            return "handle"
        case _:
            return None


def with_entry(text: str, section: str, lines: Sequence[str]) -> str:
    """A YAML text with lines added at the end of a top-level mapping in block style.

    Raises:
        NotBlockStyle: the mapping is not there, or not in block style.
    """
    there = text.split("\n")
    head = next((at for at, line in enumerate(there) if re.fullmatch(rf"{section}:\s*(\{{\}})?\s*", line)), None)
    if head is None:
        raise NotBlockStyle("\n".join([f"{section}:", *lines]))
    end = head + 1
    for at in range(head + 1, len(there)):
        if there[at] and not there[at].startswith((" ", "#")):
            break
        if there[at].startswith(" "):
            end = at + 1
    return "\n".join([*there[:head], f"{section}:", *there[head + 1 : end], *lines, *there[end:]])


def without_never(policy: str, used: Sequence[str]) -> str:
    """A policy's text without the lines of `never` that a view now uses."""
    before, found, never = policy.partition("\nnever:\n")
    keys = {_key(path) for path in used}
    kept = [line for line in never.split("\n") if line.strip().rpartition(": ")[0].split(": ")[0] not in keys]
    return before + found + "\n".join(kept) if any(line.strip() for line in kept) else f"{before}\nnever: {{}}\n"


def _decidable(spelled: str) -> str:
    """The longest path of the grammar that names a leaf or what holds it: one `[]` at most, and no map's inside."""
    return "[]".join(spelled.partition("{}")[0].split("[]")[:2])


def _key(path: str) -> str:
    return f"'{path}'" if re.search(r"[\[\]{}\"]", path) else path
