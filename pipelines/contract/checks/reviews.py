"""Checks of reviews: purposes and topics of the pipeline were reviewed, TTLs have a basis, and all still stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.model import Contract, Review
from pipelines.contract.pipeline_reviews import topic_digest
from pipelines.contract.received import FORMAT, recipe_of
from pipelines.contract.report import Mistake

SOON: Final = timedelta(days=60)
SIGNED: Final = "review-signed"


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """A purpose, or the raw topics, the quarantine or the record of changes, with its review."""

    name: str
    review: Review
    serves_purpose: bool

    def ends(self, when: str) -> str:
        """What follows when the review expires. Without the quarantine or the changes events would be unaccounted."""
        return f"it receives nothing {when}" if self.serves_purpose else "the topics are still written"


def missing(draft: Draft) -> Iterator[Mistake]:
    """A purpose or a topic of the pipeline that nobody agreed to."""
    remedy = "Have it reviewed, then add `review: {id, approved, expires, owner, covers}`."
    for purpose in draft.purposes.values():
        if purpose.review is None:
            yield Mistake(purpose.position, f"'{purpose.name}' has no review.", remedy)
    for topic in (draft.pipeline_topics or {}).values():
        if topic.review is None:
            yield Mistake(topic.position, f"'{topic.subject}' has no review.", remedy)


def covers(draft: Draft) -> Iterator[Mistake]:
    """A review that does not say what was agreed to."""
    for name, review in _reviews(draft):
        if not review.covers:
            what = f"The review of '{name}' does not say what it covers."
            yield Mistake(review.position, what, "Add `covers:`, the digest that the reviewer signed.")


def signed(draft: Draft) -> Iterator[Mistake]:
    """A purpose or a topic of the pipeline of which something else holds than what was agreed to."""
    # Under an overlay a purpose receives less than was agreed to, and no other digest has to be signed for that.
    contract = draft.readable if draft.laid is None else draft.laid.base
    if contract is None:
        return
    for one in _reviewed(draft):
        # Of what could not be read as a whole, nobody knows what holds.
        unread = draft.unread.touches(one.name) if one.serves_purpose else draft.contract is None
        if one.review.covers and not unread and (mistake := _unsigned(contract, one)) is not None:
            yield mistake


def _unsigned(contract: Contract, one: _Reviewed) -> Mistake | None:
    name, review = one.name, one.review
    if not one.serves_purpose:
        if topic_digest(contract, name) == review.covers:
            return None
        what = f"The review of '{name}' covers another basis, `max_ttl` or consumers than the contract says."
        remedy = f"Read `pipelines review {name}`, and sign the digest that it prints."
        return Mistake(review.covers_position, what, remedy)
    recipe = recipe_of(contract, name, review.covers)
    if recipe == FORMAT:
        return None
    if recipe is not None:
        what = (
            f"The review of '{name}' was signed under the recipe {recipe}. What that covers has not "
            f"changed, but {FORMAT} covers more."
        )
        remedy = f"Read `pipelines review {name}`, and sign the digest that it prints."
    else:
        what = f"'{name}' receives something else than what its review covers."
        remedy = f"`pipelines review {name} --history` shows what changed, and what to sign."
    return Mistake(review.covers_position, what, remedy)


def order(draft: Draft) -> Iterator[Mistake]:
    """A review that ends before it begins."""
    for _, review in _reviews(draft):
        if review.expires <= review.approved:
            yield Mistake(review.position, "The review expires before it was approved.", "Mend the dates.")


def expired(draft: Draft) -> Iterator[Mistake]:
    """A review that no longer stands: the relay suspends that purpose, and no other."""
    for one in _reviewed(draft):
        name, review = one.name, one.review
        if draft.as_of >= review.expires:
            what = f"The review of '{name}' expired on {review.expires}: {one.ends('since')}."
            yield Mistake(
                review.position,
                what,
                f"Have it reviewed again{', or remove the purpose' if one.serves_purpose else ''}.",
            )


def soon(draft: Draft) -> Iterator[Mistake]:
    """A review that ends before it can comfortably be renewed."""
    for one in _reviewed(draft):
        name, review = one.name, one.review
        if _is_soon(review.expires, draft.as_of):
            what = f"The review of '{name}' expires on {review.expires}: {one.ends('from then on')}."
            yield Mistake(review.position, what, f"Renew it before: `pipelines review {name}`.")


def basis_soon(draft: Draft) -> Iterator[Mistake]:
    """A TTL's reasons that will have to be looked at."""
    for topic in draft.topics.minimized.values() if draft.topics else ():
        if _is_soon(topic.basis.expires, draft.as_of):
            what = f"The basis of the TTL of '{topic.name}' expires on {topic.basis.expires}."
            yield Mistake(topic.position, what, "Review the TTL against its requirements and renew the basis.")


def early(draft: Draft) -> Iterator[Mistake]:
    """A review of the future."""
    for name, review in _reviews(draft):
        if draft.as_of < review.approved:
            what = f"The review of '{name}' is dated {review.approved}, after {draft.as_of}."
            yield Mistake(review.position, what, "Mend the date, or wait.")


def basis_order(draft: Draft) -> Iterator[Mistake]:
    """A TTL's basis that ends before it begins."""
    for topic in draft.topics.minimized.values() if draft.topics else ():
        if topic.basis.expires <= topic.basis.reviewed:
            yield Mistake(topic.position, f"The basis of '{topic.name}' expires before its review.", "Mend the dates.")


def basis_expired(draft: Draft) -> Iterator[Mistake]:
    """A TTL whose reasons were not looked at for too long."""
    for topic in draft.topics.minimized.values() if draft.topics else ():
        if draft.as_of >= topic.basis.expires:
            what = f"The basis of the TTL of '{topic.name}' expired on {topic.basis.expires}."
            yield Mistake(topic.position, what, "Review the TTL against its requirements and renew the basis.")


def _is_soon(expires: date, as_of: date) -> bool:
    """Whether a day lies ahead, but not far. Differences of dates never overflow, sums do in the year 9999."""
    return as_of < expires and expires - as_of <= SOON


def _reviewed(draft: Draft) -> Iterator[_Reviewed]:
    for purpose in draft.purposes.values():
        if purpose.review is not None:
            yield _Reviewed(purpose.name, purpose.review, serves_purpose=True)
    for topic in (draft.pipeline_topics or {}).values():
        if topic.review is not None:
            yield _Reviewed(topic.subject, topic.review, serves_purpose=False)


def _reviews(draft: Draft) -> Iterator[tuple[str, Review]]:
    for one in _reviewed(draft):
        yield one.name, one.review


CHECKS: Final = (
    Check(
        "review-missing",
        "Every purpose has a review, and so has every topic in policies/pipeline-topics.yaml.",
        missing,
    ),
    Check("review-covers", "Every review says what it covers.", covers),
    Check(
        SIGNED, "What a purpose receives, or what holds of a topic of the pipeline, is what its review covers.", signed
    ),
    Check("review-dates", "A review is approved before it expires.", order),
    warning("review-expired", "Every review still stands.", expired),
    warning("review-expires-soon", "No review expires in the next 60 days.", soon),
    warning("review-early", "No review is of the future.", early),
    Check("basis-dates", "A TTL's basis is reviewed before it expires.", basis_order),
    warning("basis-expired", "Every TTL's basis still stands.", basis_expired),
    warning("basis-expires-soon", "No TTL's basis expires in the next 60 days.", basis_soon),
)
