"""What a check is: an id, a severity, a sentence, and the function that looks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.contract.draft import Draft
from pipelines.contract.findings import Severity
from pipelines.contract.report import Mistake

Look = Callable[[Draft], Iterator[Mistake]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a contract must hold.

    `says` is the promise. `look` goes over a draft and gives what breaks it; None means that the mistake is met while
    the files are read, before there is a draft.
    """

    id: str
    says: str
    look: Look | None = None
    severity: Severity = Severity.ERROR


def warning(id_: str, says: str, look: Look) -> Check:
    """A check whose mistakes a person judges."""
    return Check(id_, says, look, Severity.WARNING)
