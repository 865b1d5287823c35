"""Findings as several commands print them: for a program, and the list of what could not be read."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from pipelines.contract.findings import Finding


def plain_finding(found: Finding) -> dict[str, object]:
    """Return a finding for a program to read."""
    return {
        "check": found.check,
        "severity": found.severity,
        "file": found.position.file,
        "line": found.position.line,
        "column": found.position.column,
        "message": found.message,
        "remedy": found.remedy,
    }


def print_left_out(console: Console, left_out: Sequence[str]) -> None:
    """Print what could not be read, one phrase a line; nothing if everything was."""
    if left_out:
        console.print("\nLeft out, because it could not be read (its errors are above):")
    for one in left_out:
        console.print(Text(f"  {one}"))
