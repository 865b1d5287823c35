"""The registry of checks: everything that `pipelines validate` holds, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.contract.checks import (
    access,
    budget,
    classes,
    coverage,
    epochs,
    freshness,
    linkage,
    names,
    on_reading,
    overlays,
    pipeline_topics,
    principals,
    privacy,
    promises,
    reviews,
    schemas,
    words,
)
from pipelines.contract.checks.check import Check
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Finding
from pipelines.contract.report import Mistake

CHECKS: Final[tuple[Check, ...]] = (
    *on_reading.CHECKS,
    *schemas.CHECKS,
    *names.CHECKS,
    *coverage.CHECKS,
    *classes.CHECKS,
    *words.CHECKS,
    *privacy.CHECKS,
    *access.CHECKS,
    *principals.CHECKS,
    *reviews.CHECKS,
    *pipeline_topics.CHECKS,
    *promises.CHECKS,
    *budget.CHECKS,
    *linkage.CHECKS,
    *epochs.CHECKS,
    *overlays.CHECKS,
    *freshness.CHECKS,
)
BY_ID: Final[dict[str, Check]] = {check.id: check for check in CHECKS}


def finding(check: str, mistake: Mistake) -> Finding:
    """A mistake as a finding, with its check's severity."""
    return Finding(check, BY_ID[check].severity, mistake.position, mistake.message, mistake.remedy)


def run(draft: Draft) -> Iterator[Finding]:
    """Every finding of every check that looks at drafts."""
    for check in CHECKS:
        if check.look is not None:
            yield from (finding(check.id, mistake) for mistake in check.look(draft))


__all__ = ["BY_ID", "CHECKS", "Check", "finding", "run"]
