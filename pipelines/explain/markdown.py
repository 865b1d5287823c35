"""Changes as Markdown for a pull request. Texts of a contract are escaped: they are shown, never rendered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipelines.contract.changes import Change, Direction

HEADINGS: Final = {
    Direction.WORSE: "Privacy gets worse",
    Direction.BETTER: "Privacy gets better",
    Direction.NEUTRAL: "Neutral",
}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|#~@!&])")


def markdown(changes: Sequence[Change], old: str, new: str) -> str:
    """A section for each direction that has changes, each with a table."""
    parts = [f"## Contract: {escaped(old)} → {escaped(new)}", ""]
    if not changes:
        parts += ["Nothing changes.", ""]
    for direction, heading in HEADINGS.items():
        found = [change for change in changes if change.direction is direction]
        if found:
            parts += [f"### {heading} ({len(found)})", "", "| where | what | why |", "|-|-|-|"]
            parts += [f"| {escaped(one.where)} | {escaped(one.what)} | {escaped(one.why)} |" for one in found]
            parts += [""]
    return "\n".join(parts)


def escaped(text: str) -> str:
    """A text that Markdown shows as it is: no markup, no link, no mention, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
