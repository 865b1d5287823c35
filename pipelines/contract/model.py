"""The contract as one value: what every other room reads. Standard library only, no I/O, no clock.

Durations are milliseconds, times are milliseconds since 1970 in UTC, review dates are days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from pipelines.contract.actions import Action
from pipelines.contract.avro import AvroType, Record
from pipelines.contract.findings import Position
from pipelines.contract.path import Path

_NOWHERE = Position("topics.yaml")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

IdentifierKind = Literal["device", "account"]


@dataclass(frozen=True, slots=True)
class Review:
    """Who agreed to a purpose, when, until when, and the digest of what they agreed to."""

    id: str
    approved: date
    expires: date
    owner: str
    covers: str
    position: Position
    covers_position: Position

    @property
    def expires_ms(self) -> int:
        """The first broker time at which the review no longer stands (00:00 UTC of the expiry day)."""
        return int(datetime(self.expires.year, self.expires.month, self.expires.day, tzinfo=UTC).timestamp()) * 1000


@dataclass(frozen=True, slots=True)
class Answers:
    """What a data review asks of a purpose.

    Which `question` the data answers, why there is `need` of it, which `alternatives` were considered, `how_long` it is
    kept and why, `who` may see it, and what the person whom it is about can do (`user_control`).
    """

    question: str
    need: str
    alternatives: str
    how_long: str
    who: str
    user_control: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """A reviewed reason to use data. Without a review (a warning's or error's matter) nothing is relayed for it."""

    name: str
    description: str
    objective: str
    iri: str
    legal_basis: str
    answers: Answers
    handle: IdentifierKind | None
    rotate_ms: int
    max_bits: int
    review: Review | None
    position: Position


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a view: the raw field, what is done with it, and the name that its value gets."""

    path: Path
    action: Action
    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class OutputField:
    """A field of a minimized record (or of an item of an `OutputArray`), with the rule that makes it."""

    name: str
    type: AvroType
    rule: Rule


@dataclass(frozen=True, slots=True)
class OutputArray:
    """An array of records in a minimized record: one item for each item of the raw array at `source`.

    `source` ends in `[]`. `fields` hold what the rules that share it keep. `nullable` says that the raw array may be
    null or out of reach, so that the output is a union of null and the array. More raw items than `max_items`: a
    bound fault.
    """

    name: str
    source: Path
    nullable: bool
    max_items: int
    item_name: str
    fields: tuple[OutputField, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One event type, reduced for one topic.

    `output` is in wire order. `schema` is the derived Avro schema (JSON text, one for all raw versions),
    `fingerprint` its CRC-64-AVRO as it stands in a single-object header (8 bytes). `step_ms` is the coarseness of a
    record's time: that of its `occurred_at`, else 1 h. `guards` are outputs of the view as it is
    without an overlay: they are tried and not written, so that what they hold back stays back.
    """

    event: str
    topic: str
    rules: tuple[Rule, ...]
    output: tuple[OutputField | OutputArray, ...]
    schema: str
    fingerprint: bytes
    step_ms: int
    position: Position
    guards: tuple[OutputField | OutputArray, ...] = ()

    @property
    def category(self) -> str:
        """The data category: the topic's name up to the first dot."""
        return self.topic.partition(".")[0]

    @property
    def purpose(self) -> str:
        """The purpose: the topic's name after the first dot."""
        return self.topic.partition(".")[2]

    @property
    def bounding(self) -> tuple[Rule, ...]:
        """The rules whose bounds hold an event back: the guards', and the view's own where no guard is of its path."""
        guards = [guard.fields if isinstance(guard, OutputArray) else (guard,) for guard in self.guards]
        held = {field.rule.path: field.rule for fields in guards for field in fields}
        return (*(rule for rule in self.rules if rule.path not in held), *held.values())


@dataclass(frozen=True, slots=True)
class Never:
    """A raw field that no view may use, with the reason."""

    path: Path
    reason: str
    position: Position


@dataclass(frozen=True, slots=True)
class RawSchema:
    """One version of an event type's raw schema.

    `text` is the schema as Avro JSON without our attributes; `fingerprint` is the CRC-64-AVRO of its parsing
    canonical form, 8 bytes as in a single-object header.
    """

    event: str
    version: int
    record: Record
    text: str
    fingerprint: bytes
    position: Position


@dataclass(frozen=True, slots=True)
class Event:
    """An event type: its raw schemas (ascending by version) and its policy."""

    name: str
    versions: tuple[RawSchema, ...]
    views: tuple[View, ...]
    never: tuple[Never, ...]

    @property
    def source(self) -> str:
        """The system that publishes it: the name up to the dot."""
        return self.name.partition(".")[0]

    @property
    def raw_topic(self) -> str:
        """The topic that its raw events enter by."""
        return f"raw.{self.name}"


@dataclass(frozen=True, slots=True)
class Basis:
    """Why a topic's TTL is what it is (product, security and legal requirements), and until when that stands."""

    product: str
    security: str
    legal: str
    reviewed: date
    expires: date


@dataclass(frozen=True, slots=True)
class Topic:
    """A minimized topic: `ttl_ms` is the promise, `late_ms` how old an input may be when it is relayed."""

    name: str
    ttl_ms: int
    late_ms: int
    partitions: int
    consumers: tuple[str, ...]
    basis: Basis
    position: Position
    compression: str | None = None
    """The topic's `compression.type`; None leaves the setting as it is (Kafka's default keeps the producer's codec)."""

    @property
    def purpose(self) -> str:
        """The purpose: the topic's name after the first dot."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class RawTopic:
    """A raw topic: at most 72 h, producers only."""

    name: str
    event: str
    ttl_ms: int
    partitions: int
    producers: tuple[str, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class QuarantineTopic:
    """Where the coordinates of what could not be minimized go."""

    name: str
    ttl_ms: int
    partitions: int
    consumers: tuple[str, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class ChangesTopic:
    """Where each change of a topic is recorded before it is made: audit evidence of the pipeline's own operation.

    One partition, since the order of changes matters. A contract that does not name one has this one.
    """

    name: str = "audit.retention-changes"
    ttl_ms: int = 400 * DAY_MS
    consumers: tuple[str, ...] = ()
    position: Position = _NOWHERE


USUAL_CHANGES = ChangesTopic()


@dataclass(frozen=True, slots=True)
class PipelineTopicReview:
    """What was agreed about topics that serve no purpose: all raw topics, the quarantine or the record of changes.

    `subject` is `raw`, `quarantine` or `changes`. `product`, `security` and `legal` are the reasons to have these
    topics, `max_ttl_ms` is the longest TTL that they may have, and `consumers` are all who may read them.
    """

    subject: str
    product: str
    security: str
    legal: str
    max_ttl_ms: int
    consumers: tuple[str, ...]
    review: Review | None
    position: Position


@dataclass(frozen=True, slots=True)
class AcceptedLinkage:
    """What somebody took upon them: what two purposes (in name order) may share of an event, for a reason.

    `up_to` is in bits, if fields are independent, and `ceiling` if they are not; without an `up_to` it is the event
    itself, which live views with handles share.
    """

    event: str
    purposes: tuple[str, str]
    up_to: int | None
    reason: str
    position: Position
    ceiling: int = 0

    @property
    def spelled(self) -> str:
        """How much was accepted, in words."""
        if self.up_to is None:
            return "the event itself"
        return f"{self.up_to} bits" if self.ceiling <= self.up_to else f"{self.up_to} bits, {self.ceiling} at most"


@dataclass(frozen=True, slots=True)
class AcceptedAcross:
    """What somebody accepted of one purpose: up to how many bits its handles can be matched across epochs, and why."""

    purpose: str
    up_to: int
    reason: str
    position: Position

    @property
    def spelled(self) -> str:
        """Return how much was accepted, in words."""
        return f"{self.up_to} bits"


@dataclass(frozen=True, slots=True)
class Linkage:
    """The limit in bits above which linkage is a finding, and where more was accepted.

    `warn_above` holds for two purposes of one event (`accepted`) and for one purpose across epochs (`across_epochs`).
    """

    warn_above: int = 20
    accepted: tuple[AcceptedLinkage, ...] = ()
    across_epochs: tuple[AcceptedAcross, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """All the files people edit, as one value. `digest` (32 bytes) changes when anything that matters does.

    `linkage` does not enter the digest: it changes no record, only what `validate` says. `pipeline_topics` are the
    reviews of raw topics, quarantine and changes by subject, none if the contract has no such file.
    """

    events: Mapping[str, Event]
    purposes: Mapping[str, Purpose]
    topics: Mapping[str, Topic]
    raw_topics: Mapping[str, RawTopic]
    quarantine: QuarantineTopic
    digest: bytes
    linkage: Linkage = Linkage()
    changes: ChangesTopic = USUAL_CHANGES
    pipeline_topics: Mapping[str, PipelineTopicReview] = field(default_factory=dict)

    @property
    def policy_version(self) -> str:
        """12 hexadecimal digits of the digest, for the header `ce_policyversion`."""
        return self.digest.hex()[:12]

    @property
    def sources(self) -> tuple[str, ...]:
        """The systems that publish events, in name order."""
        return tuple(sorted({event.source for event in self.events.values()}))

    def events_of(self, source: str) -> tuple[Event, ...]:
        """The event types of one system, in name order."""
        return tuple(event for name, event in sorted(self.events.items()) if event.source == source)
