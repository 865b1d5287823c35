"""Checks of reviews: every purpose was reviewed, every TTL has a basis, and both still stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pipelines.contract.checks.check import Check, warning
from pipelines.contract.draft import Draft
from pipelines.contract.model import Purpose, Review
from pipelines.contract.received import FORMAT, recipe_of
from pipelines.contract.report import Mistake

SOON: Final = timedelta(days=60)
SIGNED: Final = "review-signed"


def missing(draft: Draft) -> Iterator[Mistake]:
    """A purpose that nobody agreed to."""
    for purpose in draft.purposes.values():
        if purpose.review is None:
            remedy = "Have it reviewed, then add `review: {id, approved, expires, owner, covers}`."
            yield Mistake(purpose.position, f"'{purpose.name}' has no review.", remedy)


def covers(draft: Draft) -> Iterator[Mistake]:
    """A review that does not say what was agreed to."""
    for purpose, review in _reviewed(draft):
        if not review.covers:
            what = f"The review of '{purpose.name}' does not say what it covers."
            yield Mistake(review.position, what, "Add `covers:`, the digest that the reviewer signed.")


def signed(draft: Draft) -> Iterator[Mistake]:
    """A purpose that receives something else than what was agreed to."""
    for purpose, review in _reviewed(draft):
        # Under an overlay a purpose receives less than was agreed to, and no other digest has to be signed for that.
        received = draft.readable if draft.laid is None else draft.laid.base
        if received is None or not review.covers or draft.unread.touches(purpose.name):
            continue  # of a purpose that could not be read as a whole, nobody knows what it receives
        recipe = recipe_of(received, purpose.name, review.covers)
        if recipe == FORMAT:
            continue
        if recipe is not None:
            what = (
                f"The review of '{purpose.name}' was signed under the recipe {recipe}. What that covers has not "
                f"changed, but {FORMAT} covers more."
            )
            remedy = f"Read `pipelines review {purpose.name}`, and sign the digest that it prints."
        else:
            what = f"'{purpose.name}' receives something else than what its review covers."
            remedy = f"`pipelines review {purpose.name} --history` shows what changed, and what to sign."
        yield Mistake(review.covers_position, what, remedy)


def order(draft: Draft) -> Iterator[Mistake]:
    """A review that ends before it begins."""
    for _, review in _reviewed(draft):
        if review.expires <= review.approved:
            yield Mistake(review.position, "The review expires before it was approved.", "Mend the dates.")


def expired(draft: Draft) -> Iterator[Mistake]:
    """A review that no longer stands: the relay suspends that purpose, and no other."""
    for purpose, review in _reviewed(draft):
        if draft.as_of >= review.expires:
            what = f"The review of '{purpose.name}' expired on {review.expires}: it receives nothing since."
            yield Mistake(review.position, what, "Have it reviewed again, or remove the purpose.")


def soon(draft: Draft) -> Iterator[Mistake]:
    """A review that ends before it can comfortably be renewed."""
    for purpose, review in _reviewed(draft):
        if draft.as_of < review.expires <= draft.as_of + SOON:
            what = f"The review of '{purpose.name}' expires on {review.expires}: it receives nothing from then on."
            yield Mistake(review.position, what, f"Renew it before: `pipelines review {purpose.name}`.")


def basis_soon(draft: Draft) -> Iterator[Mistake]:
    """A TTL's reasons that will have to be looked at."""
    for topic in draft.topics.minimized.values() if draft.topics else ():
        if draft.as_of < topic.basis.expires <= draft.as_of + SOON:
            what = f"The basis of the TTL of '{topic.name}' expires on {topic.basis.expires}."
            yield Mistake(topic.position, what, "Review the TTL against its requirements and renew the basis.")


def early(draft: Draft) -> Iterator[Mistake]:
    """A review of the future."""
    for purpose, review in _reviewed(draft):
        if draft.as_of < review.approved:
            what = f"The review of '{purpose.name}' is dated {review.approved}, after {draft.as_of}."
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


def _reviewed(draft: Draft) -> Iterator[tuple[Purpose, Review]]:
    for purpose in draft.purposes.values():
        if purpose.review is not None:
            yield purpose, purpose.review


CHECKS: Final = (
    Check("review-missing", "Every purpose has a review.", missing),
    Check("review-covers", "Every review says what it covers.", covers),
    Check(SIGNED, "What a purpose receives is what its review covers.", signed),
    Check("review-dates", "A review is approved before it expires.", order),
    warning("review-expired", "Every review still stands.", expired),
    warning("review-expires-soon", "No review expires in the next 60 days.", soon),
    warning("review-early", "No review is of the future.", early),
    Check("basis-dates", "A TTL's basis is reviewed before it expires.", basis_order),
    warning("basis-expired", "Every TTL's basis still stands.", basis_expired),
    warning("basis-expires-soon", "No TTL's basis expires in the next 60 days.", basis_soon),
)
