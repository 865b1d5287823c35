"""Naming: what was signed and what changed since, put into the findings that only say that something did.

Loading runs no program, so its finding says no more; whoever shows findings to a person may ask here for the rest.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.contract.changes.compare import since
from pipelines.contract.changes.revisions import Signed, signed_states
from pipelines.contract.checks.reviews import SIGNED
from pipelines.contract.findings import Finding
from pipelines.contract.loading import Loaded
from pipelines.contract.model import Contract
from pipelines.contract.pipeline_reviews import reviews_of

_MOST: Final = 20


def with_changes(root: Path, loaded: Loaded, *, as_of: date) -> tuple[Finding, ...]:
    """The findings, those about a review that does not cover its purpose with each change since it was signed."""
    contract = loaded.readable
    if contract is None or all(found.check != SIGNED for found in loaded.findings):
        return loaded.findings
    reviews = reviews_of(contract)
    at = {review.covers_position: (name, review.covers) for name, review in reviews}
    wanted = {at[found.position][0]: found for found in loaded.findings if found.check == SIGNED}
    covers = dict(at[found.position] for found in wanted.values())
    states, why = signed_states(root, covers, as_of=as_of)
    named = {found: _named(found, contract, name, states.get(name), why) for name, found in wanted.items()}
    return tuple(named.get(found, found) for found in loaded.findings)


def _named(found: Finding, contract: Contract, name: str, signed: Signed | None, why: str) -> Finding:
    if signed is None:
        return replace(found, message=f"{found.message} What was signed cannot be shown: {why}.")
    changes = since(signed.contract, contract, name)
    told = "; ".join(f"{one.where}: {one.what} ({one.direction})" for one in changes[:_MOST])
    more = f"; and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    return replace(found, message=f"{found.message} Since it was signed ({signed.commit[:12]}): {told}{more}.")
