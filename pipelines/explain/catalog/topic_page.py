"""A topic's page, for whoever consumes it: why it exists, what is in it, how it is to be read and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.contract.bits import FieldBits, ViewBits, spelled_bits, view_bits
from pipelines.contract.model import Contract, OutputArray, OutputField, Purpose, Topic, View
from pipelines.contract.reach import Reach, reach
from pipelines.explain.catalog.deployment import PLAIN, Deployment
from pipelines.explain.catalog.example import Example, readable
from pipelines.explain.catalog.meaning import meaning, null_means, possible, type_words, unit
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
    Table,
    cell,
    joined,
    line,
)
from pipelines.explain.catalog.reading import reading
from pipelines.explain.catalog.wire import headers, promises, rfc3339, the_handle, times
from pipelines.explain.wording import duration

_FIELDS: Final = ("field", "type", "what it says", "unit", "values", "null when", "bits")


def topic_page(contract: Contract, topic: Topic, examples: Mapping[str, Example], here: Deployment = PLAIN) -> Page:
    """The page of one minimized topic."""
    purpose = contract.purposes[topic.purpose]
    views = [view for _, event in sorted(contract.events.items()) for view in event.views if view.topic == topic.name]
    blocks: list[Block] = [
        Paragraph(line(f"{purpose.description}.")),
        *here.said(),
        _facts(topic, purpose, views),
        Heading(2, "Why this may be used"),
        _why(purpose),
    ]
    for view in views:
        blocks += _event(contract, view, purpose, examples[view.event], here)
    blocks += [Heading(2, "The handle"), *the_handle(contract, topic, purpose)]
    blocks += [Heading(2, "Times, and how long a record may live"), times(topic, views)]
    blocks += [Heading(2, "Headers"), headers(topic, purpose, views)]
    blocks += [Heading(2, "Order and delivery"), promises(purpose)]
    blocks += [Heading(2, "Reading it"), *reading(topic, here)]
    return Page(f"topics/{topic.name}", topic.name, tuple(blocks))


def _facts(topic: Topic, purpose: Purpose, views: list[View]) -> Table:
    handle = f"of the {purpose.handle}, rotated every {duration(purpose.rotate_ms)}" if purpose.handle else "none"
    readers = joined([Code(name) for name in topic.consumers]) or line("nobody yet")
    events = joined([Link(view.event, f"events/{view.event}") for view in views]) or line("none yet")
    return facts(
        ("category", line(topic.name.partition(".")[0])),
        ("purpose", line(Code(purpose.name))),
        ("event types", events),
        ("read by", readers),
        ("lives for", line(duration(topic.ttl_ms))),
        ("handle", line(handle)),
        ("partitions", line(str(topic.partitions))),
    )


def facts(*rows: tuple[str, Line]) -> Table:
    """Names, and what they stand for."""
    return Table((), tuple((cell(name), (text,)) for name, text in rows))


def _why(purpose: Purpose) -> Table:
    answers, review = purpose.answers, purpose.review
    stands = (
        "not reviewed: nothing is relayed"
        if review is None
        else f"{review.id}, approved {review.approved} by {review.owner}; stands until {review.expires}, "
        "and from then on nothing is relayed until it is renewed"
    )
    return facts(
        ("objective", line(purpose.objective)),
        ("in the Data Privacy Vocabulary", line(Code(purpose.iri))),
        ("legal basis", line(Code(purpose.legal_basis))),
        ("the question", line(answers.question)),
        ("the need", line(answers.need)),
        ("alternatives", line(answers.alternatives)),
        ("for how long", line(answers.how_long)),
        ("who may see it", line(answers.who)),
        ("what the user can do", line(answers.user_control)),
        ("review", line(stands)),
    )


def _event(contract: Contract, view: View, purpose: Purpose, example: Example, here: Deployment) -> list[Block]:
    event = contract.events[view.event]
    said = view_bits(event.versions, view)
    newest = event.versions[-1].version
    schema = here.schema(f"{view.topic}/{event.name}.v{newest}.avsc")
    rows = [row for output in view.output for row in _rows(contract, view, purpose, output, said)]
    return [
        Heading(2, f"Event type {view.event}"),
        Paragraph(
            line(
                "Made of raw events of ",
                Link(view.event, f"events/{view.event}"),
                f" (version{'s' if len(event.versions) > 1 else ''} ",
                f"{', '.join(str(version.version) for version in event.versions)}); schema ",
                Code(schema),
                ".",
            )
        ),
        Table(_FIELDS, tuple(rows)),
        Paragraph(
            line(
                f"One record can say at most {spelled_bits(said.bits)} bits besides the handle; the purpose allows "
                f"{purpose.max_bits}. Fields add up to more where one null makes several of them null."
            )
        ),
        *_example(view, example),
    ]


def _rows(
    contract: Contract, view: View, purpose: Purpose, output: OutputField | OutputArray, said: ViewBits
) -> list[tuple[Cell, ...]]:
    versions = contract.events[view.event].versions
    bits = {field.name: field for field in said.fields}
    if isinstance(output, OutputField):
        return [
            (
                cell(Code(output.name)),
                cell(type_words(output.type)),
                (meaning(output, purpose.handle),),
                cell(unit(output)),
                possible(output, _max_items(contract, view, output)),
                null_means(versions, output),
                cell(_bits(bits.get(output.name))),
            )
        ]
    whole = bits.get(output.name)
    each = {field.name: field for field in whole.each} if whole else {}
    array = (
        cell(Code(output.name)),
        cell("array of records"),
        cell("one for each of ", Code(str(output.source)), ", in its order"),
        cell(""),
        cell(f"0 to {output.max_items} of them"),
        null_means(versions, output),
        cell(_bits(whole)),
    )
    return [
        array,
        *(
            (
                cell(Code(f"{output.name}[].{field.name}")),
                cell(type_words(field.type)),
                (meaning(field, purpose.handle),),
                cell(unit(field)),
                possible(field, None),
                null_means(versions, field),
                cell(f"{_bits(each.get(field.name))} each"),
            )
            for field in output.fields
        ),
    ]


def _bits(field: FieldBits | None) -> str:
    return "" if field is None else spelled_bits(field.bits)


def _max_items(contract: Contract, view: View, output: OutputField) -> int | None:
    """The bound of an array that a rule counts; None where a version has none."""
    found = reach(contract.events[view.event].versions, output.rule.path)
    bounds = [reached.field.max_items for reached in found.found] if isinstance(found, Reach) else []
    known = [bound for bound in bounds if bound is not None]
    return max(known) if known and len(known) == len(bounds) else None


def _example(view: View, example: Example) -> list[Block]:
    made = example.outgoing.get(view.topic)
    if made is None or made.record is None or made.headers is None:
        return [Paragraph(line("There is no example: no synthetic event was found that this view lets through."))]
    shown = {
        "timestamp": rfc3339(made.timestamp_ms or 0),
        "key": made.key,
        "headers": dict(sorted(made.headers.items())),
        "value": made.record,
    }
    return [
        Heading(3, "Example"),
        Paragraph(
            line(
                "Synthetic: what the minimizer makes of the synthetic event on the page of ",
                Link(view.event, f"events/{view.event}"),
                ", with a key that is good for nothing else. Bytes are in hexadecimal and times in RFC 3339; ",
                Code("ce_policyversion"),
                " is all zeros here.",
            )
        ),
        Listing("json", readable(shown)),
    ]
