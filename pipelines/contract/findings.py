"""Findings: what is wrong in a contract's files, where, and how to fix it."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a contract file; line and column count from 1, the file is relative to the contract's folder."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """An error makes the contract unusable; a warning is for a person to judge."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. `check` is the id of the check that found it, `remedy` how to fix it."""

    check: str
    severity: Severity
    position: Position
    message: str
    remedy: str
