"""What a record carries around its value: key, headers and times, and what one can rely on. One wording for all topics.

It tells what `envelope`, `keys` and the relay do; docs/consumer.md and docs/exactly-once.md are the same for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pipelines.contract.model import Contract, Purpose, Topic, View
from pipelines.explain.catalog.page import (
    Block,
    Bullets,
    Code,
    Inline,
    Line,
    Link,
    Paragraph,
    Strong,
    Table,
    cell,
    joined,
    line,
)
from pipelines.explain.wording import duration


def rfc3339(timestamp_ms: int) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def the_handle(contract: Contract, topic: Topic, purpose: Purpose) -> list[Block]:
    """What a handle is, how long it lives, and what can be done with it."""
    if purpose.handle is None:
        told = (
            "There is none. No two records can be told to be of one device or account, records have no key, and they "
            "come shuffled. What was sent cannot be found again, so it cannot be acted upon either: count, and compare."
        )
        return [Paragraph(line(told))]
    kind, rotate = purpose.handle, duration(purpose.rotate_ms)
    others = [name for name, other in sorted(contract.topics.items()) if other.purpose == purpose.name]
    same = [Link(name, f"topics/{name}") for name in others if name != topic.name]
    also: Line = (
        ("The same handles are in ", *joined([*same]), ", and nowhere else.")
        if same
        else ("The same handles are in no other topic.",)
    )
    return [
        Bullets(
            (
                line(
                    Strong("What it is. "),
                    f"16 bytes: a keyed hash (HMAC-SHA256, cut) of the {kind}'s identifier. It is "
                    "the record's key, and a field of its value. ",
                    *also,
                ),
                line(
                    Strong("How long it lives. "),
                    f"One epoch of {rotate}, counted from 1970 in UTC. ",
                    Code("ce_handleepoch"),
                    " says when its epoch began. In the next epoch the same "
                    f"{kind} has another one, and nothing ties the two together. An event that arrives late has the "
                    "handle of the epoch in which the broker received it.",
                ),
                line(
                    Strong("Who can resolve it. "),
                    "Nobody. There is no table, and no command turns it back. A holder "
                    "of the keyring can test an identifier that they know already; no consumer holds one. It is a "
                    "pseudonym all the same, and not anonymous: treat it as personal data.",
                ),
                line(
                    Strong("How to act on it. "),
                    "Decide by handle: keep what you know under (",
                    Code("ce_handleepoch"),
                    ", handle), let the next record of the same handle meet it, and forget it when its "
                    "epoch and its records are over. Your decision names the handle, never an identifier; it takes "
                    "effect where a system with a right to the identifier finds its own handle in it. No such way back "
                    "is part of this contract; one would be a new use, to be reviewed first.",
                ),
                line(
                    Strong("What not to do. "),
                    "Do not join it with another purpose's records: keys differ, so nothing "
                    "matches. Do not compare handles of different epochs.",
                ),
            )
        )
    ]


def times(topic: Topic, views: Sequence[View]) -> Bullets:
    """What the timestamp and the expiry mean."""
    steps = sorted({view.step_ms for view in views})
    if len(steps) > 1:
        step = "; ".join(f"{duration(view.step_ms)} for {view.event}" for view in views)
    else:
        step = duration(steps[0]) if steps else "the view's step"
    return Bullets(
        (
            line(
                Strong("The Kafka timestamp "),
                "is when the broker received the raw event, rounded down to its view's "
                f"step ({step}). It is not when the record arrived here, and never finer than the record.",
            ),
            line(
                Code("ce_expirytime"),
                f" is that timestamp plus the topic's TTL, {duration(topic.ttl_ms)}. By then you "
                "must have deleted the record, copies included.",
            ),
            line(
                Strong("The topic's TTL "),
                f"counts from when the raw event was received: {duration(topic.ttl_ms)} after "
                "that, the record is on the disk of no running broker. A broker that is down deletes when it is back.",
            ),
            line(
                Strong("Late events "),
                f"are relayed up to {duration(topic.late_ms)} after they were received, with their "
                "own times. What is older is counted as expired and never comes.",
            ),
            line(
                Strong("What still shows. "),
                "A consumer that reads live sees when and in which order records arrive.",
            ),
        )
    )


def headers(topic: Topic, purpose: Purpose, views: Sequence[View]) -> Table:
    """The headers, as a table."""
    sources = joined([Code(name) for name in dict.fromkeys(view.event.partition(".")[0] for view in views)])
    types = joined([Code(view.event) for view in views])
    rows: list[tuple[Inline, Line, Line]] = [
        (Code("ce_specversion"), line("CloudEvents, Kafka binary mode"), line(Code("1.0"))),
        (
            Code("ce_id"),
            line("the record's own id, the same whenever it is written again"),
            line("32 hexadecimal digits"),
        ),
        (Code("ce_source"), line("the system"), sources),
        (Code("ce_type"), line("the event type"), types),
        (Code("ce_purpose"), line("what you may use it for"), line(Code(purpose.name))),
        (
            Code("ce_policyversion"),
            line("which contract made it"),
            line("the first 12 hexadecimal digits of the contract's digest"),
        ),
        (
            Code("ce_expirytime"),
            line("when you must have deleted it"),
            line(f"RFC 3339; timestamp + {duration(topic.ttl_ms)}"),
        ),
        (Code("content-type"), line("how the value is written"), line(Code("application/avro"))),
        (
            Code("ce_replay"),
            line(
                "only on a record that was replayed: which replay; of two with one ", Code("ce_id"), " this one counts"
            ),
            line("16 hexadecimal digits"),
        ),
        (
            Code("ce_replay"),
            line("only on a record that an operator replayed: it takes the place of one with its id that you may have"),
            line("16 hexadecimal digits, one replay's"),
        ),
    ]
    if purpose.handle is not None:
        epoch = (
            Code("ce_handleepoch"),
            line("the start of the epoch whose key made the handle"),
            line(f"RFC 3339, a multiple of {duration(purpose.rotate_ms)}; not there when the handle is null"),
        )
        rows.insert(6, epoch)
    return Table(("header", "says", "values"), tuple((cell(name), (says,), (values,)) for name, says, values in rows))


def promises(purpose: Purpose) -> Bullets:
    """What a reader can rely on, and under which setting."""
    order = (
        "one raw partition, this topic, one handle and one epoch, and nothing else. Handles, partitions and epochs "
        "may come in any order among each other, and so may event types, which have raw topics of their own."
        if purpose.handle
        else "nothing at all: records are shuffled on purpose, so that no two can be told to belong together."
    )
    return Bullets(
        (
            line(
                Strong("Exactly once, "),
                "for a reader with ",
                Code("isolation.level=read_committed"),
                ". Kafka's Java client reads uncommitted by default, and then shows records of aborted batches, and "
                "shows them again; librdkafka and what is built on it read committed by default. Set it either way. An "
                "operator who replays events tells you before.",
            ),
            line(Strong("Order "), f"within {order}" if purpose.handle else f"of {order}"),
            line(
                Strong("Your own effects "),
                "are exactly once only if you commit offsets together with them, or know a ",
                Code("ce_id"),
                " that you have seen.",
            ),
            line(
                Strong("Gaps. "),
                "An event that a view could not take is not here but in quarantine, by its "
                "coordinates and a reason. While a review has expired, nothing comes.",
            ),
        )
    )
