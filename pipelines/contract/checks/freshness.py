"""Checks of schemas/minimized/: it holds what `pipelines build` would write, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.building import derived_schemas
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
from pipelines.contract.report import Mistake

_BUILD: Final = "Run `pipelines build` and commit what it writes."


def missing(draft: Draft) -> Iterator[Mistake]:
    """A view whose schema nobody wrote."""
    if draft.contract is not None:
        for path in sorted(derived_schemas(draft.contract).keys() - draft.derived.keys()):
            yield Mistake(Position(path), "The derived schema is missing.", _BUILD)


def stale(draft: Draft) -> Iterator[Mistake]:
    """A derived schema that is not what its view now gives."""
    wanted = derived_schemas(draft.contract) if draft.contract is not None else {}
    for path, text in wanted.items():
        if path in draft.derived and draft.derived[path] != text.encode():
            yield Mistake(Position(path), "The derived schema is not what its view gives.", _BUILD)


def orphan(draft: Draft) -> Iterator[Mistake]:
    """A derived schema without a view."""
    if draft.contract is not None:
        for path in sorted(draft.derived.keys() - derived_schemas(draft.contract).keys()):
            yield Mistake(Position(path), "No view gives this derived schema.", _BUILD)


CHECKS: Final = (
    Check("derived-missing", "Every view's schema is written.", missing),
    Check("derived-stale", "Every derived schema is what its view gives.", stale),
    Check("derived-orphan", "Every derived schema has a view.", orphan),
)
