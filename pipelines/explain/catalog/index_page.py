"""The catalog's first page: all topics, all event types, and the reasons for quarantine that are everybody's."""

from __future__ import annotations

from pipelines.contract.model import Contract, Purpose
from pipelines.explain.catalog.page import Block, Cell, Code, Heading, Link, Page, Paragraph, Table, cell, joined, line
from pipelines.explain.wording import duration
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES


def index_page(contract: Contract) -> Page:
    """The index."""
    blocks: list[Block] = [
        Paragraph(
            line(
                "What the contract says, for those who publish raw events and those who read what becomes of them. "
                "A topic is ",
                Code("category.purpose"),
                "; what one purpose was granted, no other sees.",
            )
        ),
        Heading(2, "Topics, for consumers"),
        _topics(contract),
        Heading(2, "Event types, for producers"),
        _events(contract),
        Heading(2, "Reasons for quarantine"),
        Paragraph(
            line(
                "A note in ",
                Code(contract.quarantine.name),
                " says where a raw record lies, why it was not minimized and "
                f"which field is at fault; never a value. It lives for {duration(contract.quarantine.ttl_ms)}, and is "
                "read by ",
                *(joined([Code(name) for name in contract.quarantine.consumers]) or ("nobody",)),
                ".",
            )
        ),
        Heading(3, "The whole event stays out"),
        _codes(STRUCTURAL_CODES),
        Heading(3, "One view goes without it"),
        _codes(BOUND_CODES),
        Paragraph(
            line(
                "The relay has reasons of its own: ",
                Code("too_large"),
                ", ",
                Code("no_broker_time"),
                ", ",
                Code("unreadable"),
                " and ",
                Code("internal"),
                ".",
            )
        ),
    ]
    return Page("index", "Catalog of topics and event types", tuple(blocks))


def _topics(contract: Contract) -> Table:
    rows = []
    for name, topic in sorted(contract.topics.items()):
        purpose = contract.purposes[topic.purpose]
        events = [event for _, event in sorted(contract.events.items()) if any(v.topic == name for v in event.views)]
        rows.append(
            (
                cell(Link(name, f"topics/{name}")),
                cell(purpose.description),
                (joined([Link(event.name, f"events/{event.name}") for event in events]),),
                _handle(purpose),
                cell(duration(topic.ttl_ms)),
                (joined([Code(reader) for reader in topic.consumers]) or line("nobody yet"),),
            )
        )
    return Table(("topic", "what for", "event types", "handle", "lives for", "read by"), tuple(rows))


def _handle(purpose: Purpose) -> Cell:
    if purpose.handle is None:
        return cell("none")
    return line(f"of the {purpose.handle}"), line(f"new every {duration(purpose.rotate_ms)}")


def _events(contract: Contract) -> Table:
    rows = []
    for name, event in sorted(contract.events.items()):
        raw = contract.raw_topics.get(event.raw_topic)
        producers = joined([Code(one) for one in raw.producers]) if raw else ()
        rows.append(
            (
                cell(Link(name, f"events/{name}")),
                cell(Code(event.raw_topic)),
                (producers or line("nobody yet"),),
                cell(duration(raw.ttl_ms) if raw else ""),
                cell(str(len(event.views))),
            )
        )
    return Table(("event type", "raw topic", "published by", "lives for", "views"), tuple(rows))


def _codes(codes: dict[str, str]) -> Table:
    return Table(("reason", "means"), tuple((cell(Code(code)), cell(words)) for code, words in codes.items()))
