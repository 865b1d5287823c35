"""What a case is, once its file was read: everything in it fits the schemas and views that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipelines.contract.findings import Finding, Position

Kind = Literal["out", "quarantined", "suspended"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What should become of a case in one view, or of the whole event.

    For `out`: `record` holds every field of the view; times are numbers in their unit, a handle is `HANDLE` or None.
    For `quarantined`: `code` and `path`. `places` says where each field of `record` was written.
    """

    kind: Kind
    position: Position
    record: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Position] = field(default_factory=dict)
    code: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One case: `value` is the raw event's bytes, at broker time `at_ms`.

    Either `whole` says that all of it is quarantined, or `views` says for each view by topic what comes out.
    """

    event: str
    name: str
    position: Position
    at_ms: int
    value: bytes
    views: Mapping[str, Expected]
    whole: Expected | None = None


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases in the order of their files and places, and what is wrong with those files.

    `not_run`: event type and name of the cases without a mistake of their own that are like one that cannot be read.
    """

    cases: tuple[Case, ...]
    findings: tuple[Finding, ...]
    not_run: tuple[tuple[str, str], ...] = ()
