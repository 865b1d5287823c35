"""Receipts: what one purpose receives, in words that a reviewer can sign. Everything comes from the contract."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from difflib import get_close_matches

from pipelines.contract.avro import Enum, not_null
from pipelines.contract.model import Contract, OutputArray, OutputField, Purpose, View
from pipelines.contract.received import classes, digest_of
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
    """The fields that a purpose receives of one event type in one topic; `time` is how coarse a record's time is."""

    event: str
    topic: str
    time: str
    fields: tuple[FieldReceipt, ...]


@dataclass(frozen=True, slots=True)
class TopicReceipt:
    """A topic's promises."""

    name: str
    ttl: str
    late: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """All that a purpose receives, and the digest of it. `signed` says whether its review covers exactly this."""

    purpose: str
    description: str
    objective: str
    legal_basis: str
    answers: dict[str, str]
    handle: str
    max_bits: int
    topics: tuple[TopicReceipt, ...]
    views: tuple[ViewReceipt, ...]
    digest: str
    covers: str
    signed: bool


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
    digest, covers = digest_of(contract, name), purpose.review.covers if purpose.review else ""
    return Receipt(
        purpose=name,
        description=purpose.description,
        objective=purpose.objective,
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
        digest=digest,
        covers=covers,
        signed=digest == covers,
    )


def _handle(purpose: Purpose) -> str:
    if purpose.handle is None:
        return "no handle: records cannot be told to be of one device or account"
    return f"a handle of the {purpose.handle}, another one every {duration(purpose.rotate_ms)}"


def _view(contract: Contract, purpose: Purpose, view: View) -> ViewReceipt:
    fields = []
    for output in view.output:
        inside = output.fields if isinstance(output, OutputArray) else (output,)
        each = f"of each of at most {output.max_items}: " if isinstance(output, OutputArray) else ""
        for field in inside:
            name = f"{output.name}[].{field.name}" if isinstance(output, OutputArray) else field.name
            read = ", ".join(classes(contract.events[view.event], field.rule.path))
            gives = f"{each}{action_words(field.rule.action, kind=purpose.handle)}{_words(field)}"
            fields.append(FieldReceipt(name, str(field.rule.path), read, gives))
    return ViewReceipt(view.event, view.topic, f"to {duration(view.step_ms)}", tuple(fields))


def _words(field: OutputField) -> str:
    """The symbols of an enum that is kept: all that the field can say."""
    written = not_null(field.type)
    return f": {', '.join(written.symbols)}" if isinstance(written, Enum) else ""
