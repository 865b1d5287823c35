"""Changes as Markdown for a pull request. Texts of a contract are escaped: they are shown, never rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pipelines.contract.changes import Change, Direction
from pipelines.contract.findings import Finding

HEADINGS: Final = {
    Direction.WORSE: "Privacy gets worse",
    Direction.BETTER: "Privacy gets better",
    Direction.NEUTRAL: "Neutral",
}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|#~@!&])")


def markdown(
    changes: Sequence[Change],
    old: str,
    new: str,
    errors: Mapping[str, Sequence[Finding]] | None = None,
    left_out: Sequence[str] = (),
) -> str:
    """A section for each direction that has changes, each with a table.

    Args:
        changes: what changed.
        old: how the contract before is named.
        new: how the contract now is named.
        errors: how a contract is named -> its errors, where some of it could not be read.
        left_out: what could not be read, and was not compared.
    """
    parts = [f"## Contract: {escaped(old)} → {escaped(new)}", ""]
    if not changes:
        parts += ["Nothing changes.", ""]
    for direction, heading in HEADINGS.items():
        found = [change for change in changes if change.direction is direction]
        if found:
            parts += [f"### {heading} ({len(found)})", "", "| where | what | why |", "|-|-|-|"]
            parts += [f"| {escaped(one.where)} | {escaped(one.what)} | {escaped(one.why)} |" for one in found]
            parts += [""]
    for name, found_in in (errors or {}).items():
        if found_in:
            parts += [f"### Errors in {escaped(name)} ({len(found_in)})", "", "| where | what | check |", "|-|-|-|"]
            parts += [f"| {escaped(str(one.position))} | {escaped(one.message)} | {one.check} |" for one in found_in]
            parts += [""]
    if left_out:
        parts += ["### Left out, since it could not be read", "", *(f"- {escaped(one)}" for one in left_out), ""]
    return "\n".join(parts)


def escaped(text: str) -> str:
    """A text that Markdown shows as it is: no markup, no link, no mention, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
