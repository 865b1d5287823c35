"""Deployments: what loading finds under each overlay of a folder, beyond what it finds without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from pipelines.contract import folder as files
from pipelines.contract.findings import Finding, Severity
from pipelines.contract.loading import Loaded, load
from pipelines.contract.report import Report


def under_each_overlay(root: Path, base: Loaded, *, as_of: date) -> dict[str, Loaded]:
    """Overlay → the contract under it, and those of its findings that only it brings about.

    Args:
        root: the contract's folder.
        base: the contract as it is; where it cannot be built, no overlay is looked at.
        as_of: the day on which reviews and bases must stand.

    Returns:
        Each overlay's new errors, and the warnings in its own file: the contract's own are the same under it, in other
        numbers perhaps. By name.
    """
    if base.contract is None:
        return {}
    known = set(base.findings)
    found = {}
    for name in sorted(files.survey(root, Report()).overlays):
        loaded = load(root, as_of=as_of, overlay=name)
        found[name] = replace(loaded, findings=tuple(one for one in loaded.findings if _is_its_own(one, name, known)))
    return found


def _is_its_own(finding: Finding, overlay: str, known: set[Finding]) -> bool:
    if finding in known:
        return False
    return finding.severity is Severity.ERROR or finding.position.file == files.overlay_file(overlay)
