"""Drafts: one case as it was written, with what it has from the case that it is like. May still have gaps.

    like: <name>                an earlier case, whose lines hold here unless they are written anew (may be absent)
    version: <N>                of the raw schema (absent: the newest)
    at: <time>                  the broker's
    raw: {<field>: <value>}     or hex: <the bytes of the Kafka value>
    damage: {cut: <N>}          take that many bytes off its end; or {append: <bytes>}, add some (may be absent)
    views:                      or: quarantined <reason> [at <path>], for the event as a whole
      <topic>: {<field>: <value>}     or: suspended, or: quarantined <reason> [at <path>], for this view

Quotes of a file's texts only names: never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipelines.contract.avro import Record
from pipelines.contract.findings import Position
from pipelines.contract.model import Event, RawSchema, View
from pipelines.contract.node import Mapping, Node, Scalar, kind
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, integer
from pipelines.explain.cases.layers import merged, pruned
from pipelines.explain.cases.model import Expected
from pipelines.explain.cases.records import record_of
from pipelines.explain.cases.values import Reader, hexadecimal, whole
from pipelines.minimize.faults import BOUND_CODES, STRUCTURAL_CODES

_QUARANTINED: Final = re.compile(r"quarantined ([a-z0-9_]+)(?: at ([A-Za-z0-9_.\[\]{}]{1,512}))?", re.ASCII)
_MOST_CUT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A case before it is whole. Of `fields` and `data` (bytes that were written out) at most one is there."""

    name: str
    position: Position
    schema: RawSchema
    at_ms: int | None = None
    fields: Table[str, Any] | None = None
    data: bytes | None = None
    cut: int = 0
    appended: bytes = b""
    whole: Expected | None = None
    views: Table[str, Expected] = field(default_factory=dict)


class Drafter:
    """Reads the cases of one event type. Every mistake goes into the report, with the case's name."""

    def __init__(self, event: Event, report: Report) -> None:
        """Begin with the event type as the contract has it."""
        self._schemas = {schema.version: schema for schema in event.versions}
        self._views = {view.topic: view for view in event.views}
        self._event = event.name
        self._report = report

    def draft(self, name: Scalar, node: Node, known: Table[str, Draft]) -> Draft | None:
        """Read one case. `known` are the earlier ones by name. None when it is no case at all."""
        section = Section.of(node, "A case", self._report)
        if section is None:
            return None
        keys = ("like", "version", "at", "raw", "hex", "damage", "views")
        lines = {key: line for key in keys if (line := section.may(key)) is not None}
        section.close()
        like = lines.get("like")
        under = self._like(like, known)
        if like is not None and under is None:
            return None
        newest = self._schemas[max(self._schemas)]
        draft = Draft("", name.position, newest) if under is None else under
        draft = replace(draft, name=name.text, position=name.position)
        if (version := lines.get("version")) is not None:
            draft = self._versioned(draft, version)
        if (at := lines.get("at")) is not None:
            draft = replace(draft, at_ms=self._time(at))
        draft = self._valued(draft, lines)
        return draft if (views := lines.get("views")) is None else self._expecting(draft, views)

    def _like(self, node: Node | None, known: Table[str, Draft]) -> Draft | None:
        if node is None:
            return None
        found = known.get(node.text) if isinstance(node, Scalar) else None
        if found is None:
            hint = meant(node.text, known) if isinstance(node, Scalar) else ""
            what = f"There is no such case before this one.{hint}"
            self._report.add("case-like", node.position, what, "Name an earlier case of this file.")
        return found

    def _versioned(self, draft: Draft, node: Node) -> Draft:
        number = integer(node, 1, 9_999, self._report)
        if number is None:
            return draft
        schema = self._schemas.get(number)
        if schema is None:
            there = ", ".join(map(str, self._schemas))
            what = f"{self._event} has no version {number}."
            self._report.add("case-value", node.position, what, f"There are: {there}.")
            return draft
        fields = None if draft.fields is None else pruned(schema.record, draft.fields)
        return replace(draft, schema=schema, fields=fields)

    def _time(self, node: Node) -> int | None:
        at_ms = whole(node.text, "timestamp-millis") if isinstance(node, Scalar) else None
        if at_ms is None or not 0 <= at_ms < 1 << 48:
            self._report.add("case-value", node.position, "'at' must be a time.", "Write 2026-11-23T10:00:00Z.")
            return None
        return at_ms

    def _valued(self, draft: Draft, lines: Table[str, Node]) -> Draft:
        raw, data, damage = lines.get("raw"), lines.get("hex"), lines.get("damage")
        if raw is not None and data is not None:
            what = "A case has `raw` or `hex`, not both."
            self._report.add("bad-value", data.position, what, "Remove one of them.")
        elif raw is not None:
            record = draft.schema.record
            draft = replace(draft, fields=self._laid(record, draft.fields or {}, raw), data=None)
        elif data is not None:
            draft = replace(draft, fields=None, data=self._bytes(data, "'hex'"))
        return draft if damage is None else self._damaged(draft, damage)

    def _laid(self, record: Record, old: Table[str, Any], node: Node) -> dict[str, Any]:
        new = Reader(self._report).read(record, node, "")
        laid = merged(record, old, new) if isinstance(new, dict) else old
        return dict(laid)

    def _damaged(self, draft: Draft, node: Node) -> Draft:
        section = Section.of(node, "'damage'", self._report)
        if section is None:
            return draft
        cut, append = section.may("cut"), section.may("append")
        section.close()
        size = 0 if cut is None else integer(cut, 1, _MOST_CUT, self._report) or 0
        return replace(draft, cut=size, appended=b"" if append is None else self._bytes(append, "'append'") or b"")

    def _bytes(self, node: Node, what: str) -> bytes | None:
        data = hexadecimal(node)
        if data is None:
            message = f"{what} must be hexadecimal digits."
            self._report.add("case-value", node.position, message, "Write two for each byte.")
        return data

    def _expecting(self, draft: Draft, node: Node) -> Draft:
        if isinstance(node, Scalar):
            return replace(draft, whole=self._quarantined(node, STRUCTURAL_CODES), views={})
        if not isinstance(node, Mapping):
            what = f"'views' is a line for each topic, or `quarantined <reason>`, not {kind(node)}."
            self._report.add("wrong-shape", node.position, what, "Write a line for each topic.")
            return draft
        views = dict(draft.views)
        for topic, inside in node:
            view = self._views.get(topic.text)
            if view is None:
                what = f"{shown(topic.text)} is not a view of {self._event}.{meant(topic.text, self._views)}"
                self._report.add("case-view", topic.position, what, "Fix the topic's name, or remove it.")
            elif (expected := self._expected(view, views.get(view.topic), inside)) is not None:
                views[view.topic] = expected
        return replace(draft, whole=None, views=views)

    def _expected(self, view: View, under: Expected | None, node: Node) -> Expected | None:
        if isinstance(node, Scalar) and node.text == "suspended":
            return Expected("suspended", node.position)
        if isinstance(node, Scalar):
            return self._quarantined(node, BOUND_CODES)
        record = record_of(view)
        base = under if under is not None and under.kind == "out" else Expected("out", node.position)
        value = self._laid(record, base.record, node)
        places = {key.text: key.position for key, _ in node} if isinstance(node, Mapping) else {}
        return Expected("out", node.position, value, {**base.places, **places})

    def _quarantined(self, node: Scalar, codes: dict[str, str]) -> Expected | None:
        said = _QUARANTINED.fullmatch(node.text)
        if said is None or said[1] not in codes:
            hint = meant(said[1], codes) if said else ""
            remedy = f"Write `quarantined <reason> at <path>`; reasons here: {', '.join(codes)}."
            self._report.add("case-reason", node.position, f"This is not an outcome.{hint}", remedy)
            return None
        return Expected("quarantined", node.position, code=said[1], path=said[2] or "")
