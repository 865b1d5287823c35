"""What the review of the raw topics, the quarantine or the record of changes covers, and its digest.

The value has the basis, the longest TTL and the consumers that were reviewed, and the consumers that `topics.yaml` has.
So no consumer can be added without a new signature. A TTL up to the reviewed one needs none, nor do a topic's name and
partitions. docs/contract.md tells a reader the same. A purpose's digest is in `received`, and never depends on these.
"""

from __future__ import annotations

from typing import Any, Final

from pipelines.contract.model import Contract, Review
from pipelines.contract.pipeline_topics import CHANGES, QUARANTINE
from pipelines.contract.received import recipe_of, sha256_of

FORMAT: Final = "pipeline-topic-1"
"""The recipe. Whoever changes what it covers makes every signed review void, and gives it another name."""


def topic_digest(contract: Contract, subject: str) -> str:
    """Return what a review of `raw`, `quarantine` or `changes` must say as `covers`: 64 hexadecimal digits.

    Raises:
        KeyError: the contract has no review of this subject.
    """
    return sha256_of(covered(contract, subject))


def covered(contract: Contract, subject: str) -> dict[str, Any]:
    """Return what a review of `raw`, `quarantine` or `changes` covers, as JSON would say it."""
    said = contract.pipeline_topics[subject]
    return {
        "format": FORMAT,
        "subject": subject,
        "basis": {"product": said.product, "security": said.security, "legal": said.legal},
        "max_ttl_ms": said.max_ttl_ms,
        "reviewed_consumers": sorted(said.consumers),
        "consumers": sorted(consumers_of(contract, subject)),
    }


def consumers_of(contract: Contract, subject: str) -> tuple[str, ...]:
    """Return who may read the topics of a subject by `topics.yaml`: nobody, for raw topics."""
    if subject == QUARANTINE:
        return contract.quarantine.consumers
    return contract.changes.consumers if subject == CHANGES else ()


def unsigned_topics(contract: Contract) -> frozenset[str]:
    """Return the subjects without a review, or whose review covers something else than the contract says.

    Args:
        contract: without an overlay. Without policies/pipeline-topics.yaml there is nothing to sign.
    """
    reviews = {subject: one.review for subject, one in contract.pipeline_topics.items()}
    return frozenset(
        subject
        for subject, review in reviews.items()
        if review is None or review.covers != topic_digest(contract, subject)
    )


def reviews_of(contract: Contract) -> tuple[tuple[str, Review], ...]:
    """Return each review of the contract with the name of its purpose, or with its subject.

    No purpose is called as a subject: the check `pipeline-name` refuses that.
    """
    purposes = {name: one.review for name, one in contract.purposes.items()}
    topics = {subject: one.review for subject, one in contract.pipeline_topics.items()}
    return tuple((name, review) for name, review in (*purposes.items(), *topics.items()) if review is not None)


def is_covered(contract: Contract, name: str, covers: str) -> bool:
    """Return whether a digest is that of a purpose, under any recipe, or of a subject, as the contract has it."""
    if name in contract.purposes and recipe_of(contract, name, covers) is not None:
        return True
    return name in contract.pipeline_topics and topic_digest(contract, name) == covers
