"""What holds of the raw topics, the quarantine or the record of changes, in words that a reviewer can sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.contract.model import Contract
from pipelines.contract.pipeline_reviews import consumers_of, topic_digest
from pipelines.contract.pipeline_topics import CHANGES, QUARANTINE, RAW
from pipelines.explain.wording import duration

HOLDS: Final = {
    RAW: "Raw events as products send them, with identifiers and content. The minimizer reads them",
    QUARANTINE: (
        "Notes about events that could not be minimized: exact coordinates of the raw event, event type, view, which "
        "bound was broken at which field, and never a value"
    ),
    CHANGES: "Who changed or replayed which topic, when, and under which plan",
}


@dataclass(frozen=True, slots=True)
class PipelineTopic:
    """A topic as it is in topics.yaml: its name and its TTL in words."""

    name: str
    ttl: str


@dataclass(frozen=True, slots=True)
class PipelineReceipt:
    """All that the review of `raw`, `quarantine` or `changes` covers, and the digest of it.

    `topics` are those of today, whose TTLs may be anything up to `max_ttl`. `signed` says whether the review covers
    exactly this; `expires` is the day from which it stands no more.
    """

    subject: str
    holds: str
    basis: dict[str, str]
    max_ttl: str
    reviewed_consumers: tuple[str, ...]
    consumers: tuple[str, ...]
    topics: tuple[PipelineTopic, ...]
    digest: str
    covers: str
    signed: bool
    review: str
    expires: date | None


def pipeline_receipt(contract: Contract, subject: str) -> PipelineReceipt:
    """Return what holds of a subject now.

    Raises:
        KeyError: the contract has no review of it.
    """
    said = contract.pipeline_topics[subject]
    review, digest = said.review, topic_digest(contract, subject)
    return PipelineReceipt(
        subject=subject,
        holds=HOLDS[subject],
        basis={"product": said.product, "security": said.security, "legal": said.legal},
        max_ttl=duration(said.max_ttl_ms),
        reviewed_consumers=said.consumers,
        consumers=consumers_of(contract, subject),
        topics=_topics(contract, subject),
        digest=digest,
        covers=review.covers if review else "",
        signed=review is not None and review.covers == digest,
        review=f"{review.id} of {review.approved} by {review.owner}, until {review.expires}" if review else "none",
        expires=review.expires if review else None,
    )


def _topics(contract: Contract, subject: str) -> tuple[PipelineTopic, ...]:
    if subject == RAW:
        return tuple(PipelineTopic(name, duration(topic.ttl_ms)) for name, topic in sorted(contract.raw_topics.items()))
    topic = contract.quarantine if subject == QUARANTINE else contract.changes
    return (PipelineTopic(topic.name, duration(topic.ttl_ms)),)
