"""Receipts: what one purpose receives, in words that a reviewer can sign. Everything comes from the contract."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches

from pipelines.contract.arrival import STEP_MS
from pipelines.contract.avro import Enum, not_null
from pipelines.contract.bits import view_bits
from pipelines.contract.linkage.epochs import accepted_across, across_in
from pipelines.contract.model import Contract, Event, OutputArray, OutputField, Purpose, View
from pipelines.contract.received import classes, counted_up_to, digest_of
from pipelines.explain.wording import action_words, duration
from pipelines.trouble import Exit, Trouble


@dataclass(frozen=True, slots=True)
class FieldReceipt:
    """A field of a minimized record: its name, the raw field and class that it is made from, and what is told of it."""

    name: str
    raw: str
    class_: str
    gives: str


@dataclass(frozen=True, slots=True)
class ViewReceipt:
    """The fields that a purpose receives of one event type in one topic.

    `time` is how coarse a record's time is; `bits` is what one record can say besides its handle.
    """

    event: str
    topic: str
    time: str
    bits: float
    fields: tuple[FieldReceipt, ...]


@dataclass(frozen=True, slots=True)
class TopicReceipt:
    """A topic's promises."""

    name: str
    ttl: str
    late: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpochReceipt:
    """By how many bits records can match the purpose's handles across epochs, at most, and by which event types.

    `up_to` (bits) and `reason` are what policies/linkage.yaml accepts; None where it accepts nothing.
    """

    bits: float
    events: tuple[tuple[str, float], ...]
    up_to: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """All that a purpose receives, and the digest of it.

    `across_epochs` is None where no view has a handle; what was accepted of it is not part of the digest.
    `signed` says whether its review covers exactly this; `expires` is the day from which it stands no more.
    """

    purpose: str
    description: str
    objective: str
    iri: str
    legal_basis: str
    answers: dict[str, str]
    handle: str
    max_bits: int
    topics: tuple[TopicReceipt, ...]
    views: tuple[ViewReceipt, ...]
    across_epochs: EpochReceipt | None
    digest: str
    covers: str
    signed: bool
    review: str
    expires: date | None


def receipt(contract: Contract, name: str) -> Receipt:
    """What a purpose receives now.

    Raises:
        Trouble: (exit 2) the contract has no such purpose; the hint names the nearest.
    """
    purpose = contract.purposes.get(name)
    if purpose is None:
        close = get_close_matches(name, contract.purposes, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(sorted(contract.purposes))}."
        raise Trouble(f"the contract has no purpose {name!r}", hint=hint, exit_code=Exit.USAGE)
    review = purpose.review
    digest, covers = digest_of(contract, name), review.covers if review else ""
    return Receipt(
        purpose=name,
        description=purpose.description,
        objective=purpose.objective,
        iri=purpose.iri,
        legal_basis=purpose.legal_basis,
        answers=asdict(purpose.answers),
        handle=_handle(purpose),
        max_bits=purpose.max_bits,
        topics=tuple(
            TopicReceipt(topic.name, duration(topic.ttl_ms), duration(topic.late_ms), topic.consumers)
            for _, topic in sorted(contract.topics.items())
            if topic.purpose == name
        ),
        views=tuple(
            _view(contract, purpose, view)
            for _, event in sorted(contract.events.items())
            for view in event.views
            if view.purpose == name
        ),
        across_epochs=_across(contract, name),
        digest=digest,
        covers=covers,
        signed=digest == covers,
        review=f"{review.id} of {review.approved} by {review.owner}, until {review.expires}" if review else "none",
        expires=review.expires if review else None,
    )


def _handle(purpose: Purpose) -> str:
    if purpose.handle is None:
        keys = f"the keys of its records' ids change every {duration(purpose.rotate_ms)}"
        return f"no handle: records cannot be told to be of one device or account; {keys}"
    return f"a handle of the {purpose.handle}, rotated every {duration(purpose.rotate_ms)}"


def _across(contract: Contract, name: str) -> EpochReceipt | None:
    found = next((one for one in across_in(contract) if one.purpose == name), None)
    if found is None:
        return None
    events = tuple((event.event, event.bits) for event in found.events)
    agreed = accepted_across(contract.linkage, name)
    if agreed is None:
        return EpochReceipt(found.bits, events, None, None)
    return EpochReceipt(found.bits, events, agreed.up_to, agreed.reason)


def _view(contract: Contract, purpose: Purpose, view: View) -> ViewReceipt:
    fields = []
    for output in view.output:
        inside = output.fields if isinstance(output, OutputArray) else (output,)
        each = f"of each of at most {output.max_items}: " if isinstance(output, OutputArray) else ""
        for field in inside:
            name = f"{output.name}[].{field.name}" if isinstance(output, OutputArray) else field.name
            read = ", ".join(classes(contract.events[view.event], field.rule.path))
            told = action_words(field.rule.action, kind=purpose.handle, whole=True)
            gives = f"{each}{told}{_words(field)}{_bound(contract.events[view.event], field)}"
            fields.append(FieldReceipt(name, str(field.rule.path), read, gives))
    bits = view_bits(contract.events[view.event].versions, view).bits
    return ViewReceipt(
        view.event,
        view.topic,
        f"to {duration(view.step_ms)} in the record, and to {STEP_MS} ms by its place in the topic (relayed live)",
        bits,
        tuple(fields),
    )


def _bound(event: Event, field: OutputField) -> str:
    """Of how many items what is counted is not counted any more."""
    bounds = counted_up_to(event, field.rule)
    if bounds is None or None in bounds:
        return ""
    return f"; of more than {' or '.join(map(str, bounds))}: a quarantine note"


def _words(field: OutputField) -> str:
    """The symbols of an enum that is kept: all that the field can say."""
    written = not_null(field.type)
    return f": {', '.join(written.symbols)}" if isinstance(written, Enum) else ""
