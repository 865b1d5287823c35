"""Deployments: what loading finds under each overlay of a folder, beyond what it finds without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pipelines.contract import folder as files
from pipelines.contract.findings import Finding, Severity
from pipelines.contract.loading import Loaded, load
from pipelines.contract.report import Report


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contract under an overlay, with all findings; and those of them that only the overlay brings about.

    `own` are its new errors, and the warnings in its own file: the contract's warnings are the same under it, in other
    numbers perhaps.
    """

    loaded: Loaded
    own: tuple[Finding, ...]


def under_each_overlay(root: Path, base: Loaded, *, as_of: date) -> dict[str, Deployment] | None:
    """Overlay → the contract under it, by name; None where no contract can be built to lay one over.

    Args:
        root: the contract's folder.
        base: the contract as it is.
        as_of: the day on which reviews and bases must stand.
    """
    names = sorted(files.survey(root, Report()).overlays)
    if names and base.readable is None:
        return None
    known = set(base.findings)
    found = {}
    for name in names:
        loaded = load(root, as_of=as_of, overlay=name, base=base)
        # Its derived schemas are its deployment's to build, and looked at with it alone.
        looked_at = (one for one in loaded.findings if one in known or not one.check.startswith("derived-"))
        loaded = replace(loaded, findings=tuple(looked_at))
        found[name] = Deployment(loaded, tuple(one for one in loaded.findings if _is_its_own(one, name, known)))
    return found


def _is_its_own(finding: Finding, overlay: str, known: set[Finding]) -> bool:
    if finding in known:
        return False
    return finding.severity is Severity.ERROR or finding.position.file == files.overlay_file(overlay)
