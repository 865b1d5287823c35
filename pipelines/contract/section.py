"""Sections: mappings whose keys are known, and the scalars in them.

A `Section` notes keys that are missing or unknown; the functions below read one scalar as one thing, and note what it
is not. All give None after a mistake, so that a caller goes on and meets the others.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from pipelines.contract.findings import Position
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS
from pipelines.contract.node import Mapping, Node, Scalar, Sequence, kind
from pipelines.contract.report import Report, meant, shown

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})(ms|s|m|h|d)", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOST_UNKNOWN: Final = 100
_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
DURATION_MS: Final = {"ms": 1, "s": 1000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


class Section:
    """The keys of one mapping, read one by one; `close` notes those that nobody asked for."""

    def __init__(self, node: Mapping, report: Report) -> None:
        """Begin with a mapping and the report that takes its mistakes."""
        self.node = node
        self._report = report
        self._asked: set[str] = set()

    @classmethod
    def of(cls, node: Node | None, what: str, report: Report) -> Section | None:
        """A section of a node that must be a mapping; None (and a mistake unless there is no node) if it is not."""
        if node is None:
            return None
        if not isinstance(node, Mapping):
            report.add(
                "wrong-shape",
                node.position,
                f"{what} must be a mapping, not {kind(node)}.",
                "Write `key: value` lines.",
            )
            return None
        return cls(node, report)

    def may(self, key: str) -> Node | None:
        """The value of a key that may be absent."""
        self._asked.add(key)
        return self.node.get(key)

    def need(self, key: str) -> Node | None:
        """The value of a key that must be there."""
        value = self.may(key)
        if value is None:
            self._report.add("missing-key", self.node.position, f"'{key}' is missing.", f"Add `{key}:`.")
        return value

    def entries(self, most: int) -> tuple[tuple[Scalar, Node], ...]:
        """The entries of a mapping whose keys are names of the file's own; notes it if there are too many."""
        if len(self.node.entries) > most:
            what = f"{len(self.node.entries):,} entries; at most {most:,} are read."
            self._report.add("too-many", self.node.entries[most][0].position, what, "Split or remove some.")
        return self.node.entries[:most]

    def close(self) -> None:
        """Note the keys that were not asked for (the first ones, when there are very many)."""
        for key in [key for key, _ in self.node if key.text not in self._asked][:_MOST_UNKNOWN]:
            if key.text not in self._asked:
                hint = meant(key.text, self._asked)
                self._report.add(
                    "unknown-key",
                    key.position,
                    f"{shown(key.text)} is not a known key here.{hint}",
                    "Fix or remove it.",
                )


def bad(report: Report, node: Node, message: str, remedy: str) -> None:
    """Note a value that is not what its key takes."""
    report.add("bad-value", node.position, message, remedy)


def text(node: Node | None, report: Report) -> str | None:
    """A text that says something."""
    if node is None:
        return None
    if not isinstance(node, Scalar):
        report.add("wrong-shape", node.position, f"A text belongs here, not {kind(node)}.", "Write one text.")
        return None
    said = " ".join(node.text.split())
    if not said:
        bad(report, node, "The text is empty.", "Write it: somebody has to answer for it.")
        return None
    return said


def word(node: Node | None, known: tuple[str, ...], report: Report) -> str | None:
    """One of the known words."""
    said = text(node, report)
    if node is None or said is None or said in known:
        return said
    bad(report, node, f"{shown(said)} is not known here.{meant(said, known)}", f"Write one of: {', '.join(known)}.")
    return None


def integer(node: Node | None, low: int, high: int, report: Report) -> int | None:
    """A whole number within bounds."""
    said = text(node, report)
    if node is None or said is None:
        return None
    if not _INTEGER.fullmatch(said) or not low <= int(said) <= high:
        bad(report, node, f"{shown(said)} is not a whole number from {low:,} to {high:,}.", "Write such a number.")
        return None
    return int(said)


def duration(node: Node | None, low_ms: int, high_ms: int, report: Report) -> int | None:
    """A span of time in ms, written with one unit: 100ms, 30s, 15m, 24h, 400d."""
    said = text(node, report)
    if node is None or said is None:
        return None
    found = _DURATION.fullmatch(said)
    if found is None:
        bad(report, node, f"{shown(said)} is not a duration.", "Write a number and ms, s, m, h or d, such as 24h.")
        return None
    span = int(found[1]) * DURATION_MS[found[2]]
    if not low_ms <= span <= high_ms:
        bounds = f"{spelled(low_ms)} to {spelled(high_ms)}"
        bad(report, node, f"{shown(said)} lies outside {bounds}.", f"Write a span of {bounds}.")
        return None
    return span


def spelled(span_ms: int) -> str:
    """A span of time as the contract spells it, in the largest unit that divides it."""
    for unit, size in reversed(DURATION_MS.items()):
        if span_ms % size == 0:
            return f"{span_ms // size}{unit}"
    raise ValueError("a span of time is a whole number of milliseconds")


def day(node: Node | None, report: Report) -> date | None:
    """A date, YYYY-MM-DD."""
    said = text(node, report)
    if node is None or said is None:
        return None
    try:
        if _DATE.fullmatch(said):
            return date.fromisoformat(said)
    except ValueError:
        pass
    bad(report, node, f"{shown(said)} is not a date.", "Write YYYY-MM-DD.")
    return None


def names(node: Node | None, report: Report) -> tuple[str, ...] | None:
    """A list of principals, sorted; no name twice, no wildcard."""
    listed = items(node, report)
    if listed is None:
        return None
    said: dict[str, Position] = {}
    before = len(report)
    for item in listed:
        name = text(item, report)
        if name is None:
            continue
        if not _PRINCIPAL.fullmatch(name):
            bad(
                report,
                item,
                f"{shown(name)} is not a valid principal name.",
                "Letters, digits, dots and dashes; no wildcard.",
            )
        elif name in said:
            bad(report, item, f"{shown(name)} stands twice.", "Remove one of them.")
        said[name] = item.position
    return None if len(report) > before else tuple(sorted(said))


def items(node: Node | None, report: Report) -> tuple[Node, ...] | None:
    """The items of a list."""
    if node is None:
        return None
    if not isinstance(node, Sequence):
        report.add("wrong-shape", node.position, f"A list belongs here, not {kind(node)}.", "Write [a, b].")
        return None
    return node.items
