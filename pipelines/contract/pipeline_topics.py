"""Reviews of topics that serve no purpose: `policies/pipeline-topics.yaml`, from nodes to values.

    quarantine:                # `raw` (all raw topics) and `changes` likewise; all three are needed
      basis: {product: ..., security: ..., legal: ...}
      max_ttl: 7d              # topics.yaml may keep the topic for this long, and no longer
      consumers: [who may read it]
      review: {id: ..., approved: ..., expires: ..., owner: ..., covers: ...}

The form of `review` is that of a purpose's review. What `covers` must say is in `pipeline_reviews`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, PipelineTopicReview
from pipelines.contract.node import Node
from pipelines.contract.purposes import answer, read_review
from pipelines.contract.report import Report
from pipelines.contract.section import Section, duration, names
from pipelines.contract.topics import MAX_RAW_TTL_MS, MAX_TTL_MS

RAW: Final = "raw"
QUARANTINE: Final = "quarantine"
CHANGES: Final = "changes"
SUBJECTS: Final = (RAW, QUARANTINE, CHANGES)
MAX_QUARANTINE_TTL_MS: Final = 30 * DAY_MS
"""A note names one raw event, which itself is gone after 72 hours; 30 days show whether a fault came back."""
LONGEST_MS: Final = {RAW: MAX_RAW_TTL_MS, QUARANTINE: MAX_QUARANTINE_TTL_MS, CHANGES: MAX_TTL_MS}
MAX_REVIEW: Final = timedelta(days=731)
"""The longest time between a review and the next: two years, one of them a leap year."""
_SECOND_MS: Final = 1_000
_BASIS: Final = ("product", "security", "legal")


def read_pipeline_topics(node: Node, report: Report) -> dict[str, PipelineTopicReview]:
    """Return the file's reviews by subject, without those that have a mistake; the report says which that are."""
    section = Section.of(node, "The file", report)
    if section is None:
        return {}
    places = {key.text: key.position for key, _ in section.node}
    read = {
        subject: _entry(subject, value, places[subject], report)
        for subject in SUBJECTS
        if (value := section.need(subject)) is not None
    }
    section.close()
    return {subject: entry for subject, entry in read.items() if entry is not None}


def _entry(subject: str, node: Node, place: Position, report: Report) -> PipelineTopicReview | None:
    section = Section.of(node, f"What is said of '{subject}'", report)
    if section is None:
        return None
    before = len(report)
    basis = _basis(section.need("basis"), report)
    max_ttl = duration(section.need("max_ttl"), _SECOND_MS, LONGEST_MS[subject], report)
    consumers_node = section.need("consumers")
    consumers = names(consumers_node, report)
    if subject == RAW and consumers and consumers_node is not None:
        what = "A raw topic has no consumers: raw events are for the minimizer alone."
        report.add("raw-consumers", consumers_node.position, what, "Write `consumers: []`.")
    review = read_review(section.may("review"), report)
    if review is not None and review.expires - review.approved > MAX_REVIEW:
        days = (review.expires - review.approved).days
        what = f"The review of '{subject}' would stand for {days:,} days; it may stand for {MAX_REVIEW.days}."
        report.add("bad-value", review.position, what, "Write an earlier `expires`, and review it again then.")
    section.close()
    if len(report) > before or basis is None or max_ttl is None or consumers is None:
        return None
    return PipelineTopicReview(subject, *basis, max_ttl, consumers, review, place)


def _basis(node: Node | None, report: Report) -> tuple[str, str, str] | None:
    section = Section.of(node, "A basis", report)
    if section is None:
        return None
    product, security, legal = (answer(section.need(name), name, report) for name in _BASIS)
    section.close()
    if product is None or security is None or legal is None:
        return None
    return product, security, legal
