"""Checks of the derived schemas (an overlay has a folder for its own): what `pipelines build` would write is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from pipelines.contract.building import Under, derived_schemas
from pipelines.contract.checks.check import Check
from pipelines.contract.describing import without_docs
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
from pipelines.contract.folder import same_text, superseded_index
from pipelines.contract.report import Mistake
from pipelines.contract.superseded import read_superseded, ttl_days


def _build(draft: Draft) -> str:
    more = "" if draft.laid is None else f" --overlay {draft.laid.name}"
    return f"Run `pipelines build{more}` and commit what it writes."


def _wanted(draft: Draft) -> dict[str, str]:
    if draft.readable is None:
        return {}
    under = None if draft.laid is None else Under(draft.laid.name, draft.laid.base)
    return derived_schemas(draft.readable, under)


def missing(draft: Draft) -> Iterator[Mistake]:
    """A view whose schema nobody wrote."""
    for path in sorted(_wanted(draft).keys() - draft.derived.keys()):
        yield Mistake(Position(path), "The derived schema is missing.", _build(draft))


def stale(draft: Draft) -> Iterator[Mistake]:
    """A derived schema that is not what its view now gives. Its docs alone are no error: no reader depends on them."""
    for path, text in _wanted(draft).items():
        if path in draft.derived and not _same_but_docs(draft.derived[path], text):
            yield Mistake(Position(path), "The derived schema is not what its view gives.", _build(draft))


def _same_but_docs(there: bytes, text: str) -> bool:
    """Whether a file is written as `build` writes it and holds the schema of that text, whatever its docs say."""
    if same_text(there, text):
        return True
    try:
        found = json.loads(there)
    except (ValueError, RecursionError):
        return False
    wanted = without_docs(json.loads(text))
    return same_text(there, f"{json.dumps(found, indent=2)}\n") and json.dumps(without_docs(found)) == json.dumps(
        wanted
    )


def orphan(draft: Draft) -> Iterator[Mistake]:
    """A derived schema without a view. Of a view that could not be read, nobody knows what it gives."""
    for path in sorted(draft.derived.keys() - _wanted(draft).keys()):
        topic, name = path.split("/")[-2:]
        if draft.readable is not None and not draft.unread.has_view(".".join(name.split(".")[:2]), topic):
            yield Mistake(Position(path), "No view gives this derived schema.", _build(draft))


def unlisted(draft: Draft) -> Iterator[Mistake]:
    """A superseded schema that the index does not list, or lists from years ahead or not until its records end."""
    index = superseded_index(None if draft.laid is None else draft.laid.name)
    there = read_superseded(draft.superseded, index)
    if index in draft.superseded and not there.readable:
        yield Mistake(Position(index), "The index of superseded schemas cannot be read.", _build(draft))
    for path in sorted(there.unlisted):
        yield Mistake(Position(path), "The index of superseded schemas does not list this file.", _build(draft))
    for one in there.entries:
        if one.is_ahead(draft.as_of):
            what = f"The index says that {one.fingerprint} was superseded on {one.superseded}, which is years ahead."
            yield Mistake(Position(index), what, _build(draft))
            continue
        days = None if draft.readable is None else ttl_days(draft.readable, one.topic)
        if days is not None and one.until < one.needed_until(days):
            needed = one.needed_until(days)
            what = f"Records under {one.fingerprint} live until {needed}, but its schema is kept until {one.until}."
            yield Mistake(Position(index), what, _build(draft))


def lost(draft: Draft) -> Iterator[Mistake]:
    """A schema that the index lists and that is not there: records written under it cannot be decoded."""
    index = superseded_index(None if draft.laid is None else draft.laid.name)
    for one in read_superseded(draft.superseded, index).lost:
        what = f"The index lists {one.file} until {one.until}, but that schema is not there as it was."
        yield Mistake(Position(index), what, "Restore the file from the repository's history.")


_MADE: Final = (
    Check("derived-missing", "Every view's schema is written.", missing),
    Check("derived-stale", "Every derived schema is what its view gives.", stale),
    Check("derived-orphan", "Every derived schema has a view.", orphan),
    Check("derived-unlisted", "The index lists every superseded schema for as long as its records live.", unlisted),
)
BUILD_FIXES: Final = frozenset(check.id for check in _MADE)
"""The checks whose findings `pipelines build` fixes."""
CHECKS: Final = (*_MADE, Check("derived-lost", "Every schema that the index lists is there.", lost))
