"""Observations: what the doctor found of one part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`warn` is a thing that something will want; `fail` is one that stands in the way now."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Observation:
    """One part, what was found of it, and the way out when it is not `ok`."""

    part: str
    state: State
    found: str
    remedy: str | None = None
