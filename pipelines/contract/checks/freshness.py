"""Checks of the derived schemas (an overlay has a folder for its own): what `pipelines build` would write is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.building import Under, derived_schemas
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
from pipelines.contract.folder import same_text
from pipelines.contract.report import Mistake


def _build(draft: Draft) -> str:
    more = "" if draft.laid is None else f" --overlay {draft.laid.name}"
    return f"Run `pipelines build{more}` and commit what it writes."


def _wanted(draft: Draft) -> dict[str, str]:
    if draft.contract is None:
        return {}
    under = None if draft.laid is None else Under(draft.laid.name, draft.laid.base)
    return derived_schemas(draft.contract, under)


def missing(draft: Draft) -> Iterator[Mistake]:
    """A view whose schema nobody wrote."""
    if draft.contract is not None:
        for path in sorted(_wanted(draft).keys() - draft.derived.keys()):
            yield Mistake(Position(path), "The derived schema is missing.", _build(draft))


def stale(draft: Draft) -> Iterator[Mistake]:
    """A derived schema that is not what its view now gives."""
    for path, text in _wanted(draft).items():
        if path in draft.derived and not same_text(draft.derived[path], text):
            yield Mistake(Position(path), "The derived schema is not what its view gives.", _build(draft))


def orphan(draft: Draft) -> Iterator[Mistake]:
    """A derived schema without a view."""
    if draft.contract is not None:
        for path in sorted(draft.derived.keys() - _wanted(draft).keys()):
            yield Mistake(Position(path), "No view gives this derived schema.", _build(draft))


CHECKS: Final = (
    Check("derived-missing", "Every view's schema is written.", missing),
    Check("derived-stale", "Every derived schema is what its view gives.", stale),
    Check("derived-orphan", "Every derived schema has a view.", orphan),
)
