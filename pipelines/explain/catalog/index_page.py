"""The catalog's first page: all topics, all event types, and the reasons for quarantine that are everybody's."""

from __future__ import annotations

from typing import Final

from pipelines.contract.model import Contract, Purpose
from pipelines.explain.catalog.deployment import PLAIN, Deployment
from pipelines.explain.catalog.page import Block, Cell, Code, Heading, Link, Page, Paragraph, Table, cell, joined, line
from pipelines.explain.wording import duration
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES

# What `relay.lane` says besides the minimizer; this room may not look into that one.
_RELAYS: Final = {
    "too_large": "the raw value is larger than 1 MiB, or a minimized one than 900 kB",
    "no_broker_time": "the record was written before its topic had the broker's time",
    "ahead_of_clock": "the broker's time is later than it is: retry the event once that time has come",
    "unreadable": "the batch that the record came in cannot be unpacked",
    "internal": "a fault of the minimizer's own: please report it with the event type",
}


def index_page(contract: Contract, here: Deployment = PLAIN) -> Page:
    """The index."""
    blocks: list[Block] = [
        *here.said(),
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
        Heading(3, "The relay itself could not take it"),
        _codes(_RELAYS),
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
    return Table(("topic", "what for", "event types", "handle, and its life", "records live", "read by"), tuple(rows))


def _handle(purpose: Purpose) -> Cell:
    if purpose.handle is None:
        return cell("none")
    return cell(f"{purpose.handle}, {duration(purpose.rotate_ms)}")


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
    return Table(("event type", "raw topic", "published by", "raw events live", "views"), tuple(rows))


def _codes(codes: dict[str, str]) -> Table:
    return Table(("reason", "means"), tuple((cell(Code(code)), cell(words)) for code, words in codes.items()))
