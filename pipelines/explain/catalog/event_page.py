"""An event type's page, for whoever produces it: what becomes of each field, why, and what goes to quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from pipelines.contract.avro import Array, AvroType, Map, Nullable, Record
from pipelines.contract.bits import spelled_bits
from pipelines.contract.model import Contract, Event, OutputArray, View
from pipelines.explain.catalog.bounds import bounds
from pipelines.explain.catalog.deployment import PLAIN, Deployment
from pipelines.explain.catalog.example import Example
from pipelines.explain.catalog.page import (
    Block,
    Cell,
    Code,
    Heading,
    Line,
    Link,
    Listing,
    Page,
    Paragraph,
    Strong,
    Table,
    cell,
    joined,
    line,
)
from pipelines.explain.catalog.topic_page import facts
from pipelines.explain.story import EventStory, FieldStory, tell
from pipelines.explain.wording import duration

_STANDING: Final = date.min  # a page says until when a review stands, not whether it does today


def event_page(contract: Contract, event: Event, example: Example, here: Deployment = PLAIN) -> Page:
    """The page of one event type."""
    story = tell(contract, event.name, as_of=_STANDING)
    said = json.loads(event.versions[-1].text).get("doc")
    names = {(view.topic, path): name for view in event.views for path, name in _names(view)}
    blocks: list[Block] = [
        *([Paragraph(line(said))] if said else []),
        *here.said(),
        _facts(contract, event, story),
        Heading(2, "Where it goes"),
        _views(story),
        Heading(2, "What becomes of each field"),
        Paragraph(line("What no line names does not leave. Classes are those of the strictest version.")),
        _fields(event, story, names),
        Heading(2, "What sends it to quarantine"),
        *_quarantine(contract, event),
        Heading(2, "Example"),
        *_example(event, example, here),
    ]
    return Page(f"events/{event.name}", event.name, tuple(blocks))


def _facts(contract: Contract, event: Event, story: EventStory) -> Table:
    raw = contract.raw_topics.get(event.raw_topic)
    schemas = joined(
        [Code(f"schemas/raw/{event.name.replace('.', '/', 1)}.v{number}.avsc") for number in story.versions]
    )
    return facts(
        ("published to", line(Code(event.raw_topic))),
        ("published by", joined([Code(name) for name in story.producers]) or line("nobody yet")),
        ("raw events live for", line(f"{story.raw_ttl}; no consumer reads them")),
        ("partitions", line(str(raw.partitions) if raw else "none: topics.yaml does not name the topic")),
        ("schemas", schemas),
        ("value", line("Avro single-object encoding: C3 01, the schema's fingerprint, the body")),
        (
            "key",
            line("the device's identifier, so that one device's events of this type keep their order; not passed on"),
        ),
        ("headers", line("yours are not passed on")),
        (
            "time",
            line("the broker's (LogAppendTime); TTLs and epochs count from it, ", Code("occurred_at"), " is data"),
        ),
    )


def _views(story: EventStory) -> Table:
    rows = [
        (
            cell(Link(view.topic, f"topics/{view.topic}")),
            cell(view.description),
            cell(view.ttl),
            (joined([Code(name) for name in view.consumers]) or line("nobody yet"),),
            cell(view.handle),
            cell(f"{spelled_bits(view.bits)} of {view.max_bits}"),
        )
        for view in story.views
    ]
    return Table(("topic", "purpose", "kept", "read by", "handle", "bits a record"), tuple(rows))


def _names(view: View) -> Iterator[tuple[str, str]]:
    """The raw path of each output, and the output's name; in an array, both with it."""
    for output in view.output:
        if isinstance(output, OutputArray):
            yield from ((str(field.rule.path), f"{output.name}[].{field.name}") for field in output.fields)
        else:
            yield str(output.rule.path), output.name


def _fields(event: Event, story: EventStory, names: Mapping[tuple[str, str], str]) -> Table:
    bound = _bounds(event)
    newest = story.versions[-1]
    rows = [
        (
            (line(Code(field.path)), line(field.type)),
            (line(field.class_), *_limits(field, bound, newest, story.versions)),
            _fate(field, names),
        )
        for field in story.fields
    ]
    return Table(("field", "class", "what becomes of it"), tuple(rows))


def _fate(field: FieldStory, names: Mapping[tuple[str, str], str]) -> Cell:
    if field.unused is not None:
        return (line(Strong("never leaves"), f": {field.unused}"),)
    return tuple(
        line(Link(use.topic, f"topics/{use.topic}"), " as ", Code(names[use.topic, use.rule]), f": {use.gives}")
        for use in field.uses
    )


def _limits(field: FieldStory, bound: dict[str, int], newest: int, versions: tuple[int, ...]) -> tuple[Line, ...]:
    told: list[Line] = []
    arrays = [path for path in bound if field.path == f"{path}[]" or field.path.startswith(f"{path}[].")]
    told += [line("at most ", str(bound[path]), " items") for path in arrays]
    if newest not in field.versions:
        told.append(line(f"until version {field.versions[-1]}"))
    elif field.versions[0] != versions[0]:
        told.append(line(f"since version {field.versions[0]}"))
    return tuple(told)


def _bounds(event: Event) -> dict[str, int]:
    """`max_items` by the path of the array (`checks`, `hops[].names`), as the newest version that has it says."""
    found: dict[str, int] = {}
    for schema in event.versions:
        found |= dict(_below(schema.record, ""))
    return found


def _below(record: Record, prefix: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for field in record.fields:
        path, at = f"{prefix}{field.name}", field.type
        if field.max_items is not None:
            found.append((path, field.max_items))
        inner, marks = _peeled(at)
        if isinstance(inner, Record):
            found += _below(inner, f"{path}{marks}.")
    return found


def _peeled(at: AvroType) -> tuple[AvroType, str]:
    marks = ""
    while True:
        match at:
            case Nullable(inner=inner):
                at = inner
            case Array(items=inner):
                at, marks = inner, f"{marks}[]"
            case Map(values=inner):
                at, marks = inner, f"{marks}{{}}"
            case _:
                return at, marks


def _quarantine(contract: Contract, event: Event) -> list[Block]:
    ttl = duration(contract.quarantine.ttl_ms)
    rows = [
        (
            cell(Code(bound.path)),
            cell(Code(bound.code)),
            tuple(line(when) for when in bound.when),
            tuple(line(Link(topic, f"topics/{topic}")) for topic in bound.topics),
        )
        for bound in bounds(event)
    ]
    table: list[Block] = [
        Paragraph(
            line("A value outside one view's bound keeps the event out of that view; the others still get theirs:")
        ),
        Table(("field", "reason", "when", "views"), tuple(rows)),
    ]
    return [
        Paragraph(
            line(
                "Bytes that are not what the schema says keep the whole event out; ",
                Link("the reasons", "index"),
                f" are the same for all event types. A note lives for {ttl} and holds the "
                "record's coordinates, the reason and the field's path: no value. Fix the producer; the raw record is "
                f"there for {_raw_ttl(contract, event)}.",
            )
        ),
        *(table if rows else [Paragraph(line("No value can lie outside a view's bound."))]),
    ]


def _raw_ttl(contract: Contract, event: Event) -> str:
    raw = contract.raw_topics.get(event.raw_topic)
    return duration(raw.ttl_ms) if raw else "as long as its topic says"


def _example(event: Event, example: Example, here: Deployment) -> list[Block]:
    newest = event.versions[-1].version
    return [
        Paragraph(
            line(
                f"Synthetic, in version {newest}, as JSON that ",
                Code(f"pipelines try {event.name} FILE{here.option}"),
                " reads. In it a union is the value itself, bytes are text, and times are RFC 3339. What becomes of it "
                "is on each topic's page.",
            )
        ),
        Listing("json", example.raw),
    ]
