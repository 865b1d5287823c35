"""Reading case files: every mistake with its place, and the cases that are whole.

    event: <source>.<event>
    cases:
      <name>: {…}               the name is a sentence that says what the case is about; see `draft` for its lines

Never runs a case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.contract import folder as files
from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, Event
from pipelines.contract.node import Mapping, Scalar
from pipelines.contract.reading import read
from pipelines.contract.report import Report, shown
from pipelines.contract.section import Section
from pipelines.explain.cases.checks import as_finding
from pipelines.explain.cases.draft import Draft, Drafter
from pipelines.explain.cases.layers import missing
from pipelines.explain.cases.model import Case, Cases
from pipelines.explain.cases.records import record_of
from pipelines.explain.plain import Unfit, encode

MOST_CASES: Final = 500
_MOST_GAPS: Final = 5


@dataclass(frozen=True, slots=True)
class _File:
    event: Event
    cases: Mapping


def read_cases(root: Path, contract: Contract, events: Collection[str] = ()) -> Cases:
    """The case files of a folder.

    Args:
        root: the contract's folder.
        contract: that contract, without an overlay: what cases are about.
        events: the event types whose files to read; all if there are none.
    """
    report = Report()
    folder = files.survey(root, Report())  # what is wrong with the folder's names is the contract's own finding
    chosen = [file for file in folder.cases if not events or file.event in events]
    not_run: list[tuple[str, str]] = []
    cases = tuple(case for file in chosen for case in _of_file(folder, file, contract, report, not_run))
    found = {as_finding(check, mistake) for check, mistake in report.mistakes}
    findings = tuple(sorted(found, key=lambda one: (one.position, one.check, one.message)))
    return Cases(cases, findings, tuple(not_run))


def _of_file(
    folder: files.Folder, at: files.PolicyFile, contract: Contract, report: Report, not_run: list[tuple[str, str]]
) -> Iterator[Case]:
    file = _opened(folder, at, contract, report)
    if file is None:
        return
    known: dict[str, Draft] = {}
    # What is like an unreadable case cannot be known. What is like one with gaps may be whole, and is looked at anew.
    unreadable, gaping = set[str](), set[str]()
    for name, inside in Section(file.cases, report).entries(MOST_CASES):
        like = inside.get("like") if isinstance(inside, Mapping) else None
        base = like.text if isinstance(like, Scalar) else ""
        if base in unreadable and base not in known:
            unreadable.add(name.text)
            not_run.append((file.event.name, name.text))
            continue
        found, gaps = Report(), Report()
        draft = Drafter(file.event, found).draft(name, inside, known)
        if draft is not None:
            known[name.text] = draft
        case = None
        if found.mistakes or base in unreadable:
            unreadable.add(name.text)
        elif draft is not None:
            case = _whole(file.event, draft, gaps)
        if case is not None:
            yield case
        elif gaps.mistakes:
            gaping.add(name.text)
        # What a case lacks because the one that it is like lacks it would be told twice.
        told = found.mistakes if base in gaping else [*found.mistakes, *gaps.mistakes]
        if case is None and not told:
            not_run.append((file.event.name, name.text))
        for check, one in told:
            report.add(check, one.position, f"Case {shown(name.text)}: {one.message}", one.remedy)


def _opened(folder: files.Folder, at: files.PolicyFile, contract: Contract, report: Report) -> _File | None:
    data = folder.content(at.path, report)
    node = None if data is None else read(data, at.path, report, raw_values=True)
    section = Section.of(node, "A case file", report)
    if section is None:
        return None
    named, listed = section.need("event"), Section.of(section.need("cases"), "'cases'", report)
    section.close()
    event = contract.events.get(at.event)
    if event is None:
        what = f"There is no event type '{at.event}' with a policy."
        report.add("case-event", section.node.position, what, "Move the file beside its policy, or remove it.")
    elif named is not None and (not isinstance(named, Scalar) or named.text != event.name):
        what = "This is not the event type that the file's name says."
        report.add("case-event", named.position, what, f"Write {event.name}.")
    return None if event is None or listed is None else _File(event, listed.node)


def _whole(event: Event, draft: Draft, report: Report) -> Case | None:
    """The case of a draft that has no gap; what it lacks goes into the report."""
    place = draft.position
    if draft.at_ms is None:
        report.add("missing-key", place, "'at' is missing.", "Add `at:` and the broker's time.")
    value = _value(draft, report)
    if draft.whole is None:
        for view in event.views:
            expected = draft.views.get(view.topic)
            if expected is None:
                what = f"It does not say what becomes of the view '{view.topic}'."
                remedy = "Say its fields, or `suspended`, or `quarantined <reason>`."
                report.add("case-missing", place, what, remedy)
            elif expected.kind == "out":
                gaps = missing(record_of(view), expected.record, nulls_too=True)
                _gaps(gaps, f"the view '{view.topic}'", expected.position, report)
    if report.mistakes or draft.at_ms is None or value is None:
        return None
    return Case(event.name, draft.name, place, draft.at_ms, value, draft.views, draft.whole)


def _value(draft: Draft, report: Report) -> bytes | None:
    data = draft.data
    if draft.fields is not None:
        gaps = missing(draft.schema.record, draft.fields)
        _gaps(gaps, "the raw event", draft.position, report)
        encoded = None if gaps else encode(draft.schema, draft.fields)
        if isinstance(encoded, Unfit):
            what = f"'{encoded.path}' does not fit its type."
            report.add("case-value", draft.position, what, "Fix the value.")
        data = encoded if isinstance(encoded, bytes) else None
    elif data is None:
        report.add("missing-key", draft.position, "Neither 'raw' nor 'hex' is there.", "Add the raw event's fields.")
    if data is not None and draft.cut > len(data):
        what = "'damage' cuts more bytes than there are."
        report.add("bad-value", draft.position, what, f"There are {len(data)}.")
    return None if data is None else data[: len(data) - draft.cut] + draft.appended


def _gaps(gaps: list[str], where: str, place: Position, report: Report) -> None:
    for path in list(dict.fromkeys(gaps))[:_MOST_GAPS]:
        report.add("case-missing", place, f"'{path}' is missing in {where}.", "Say what it is.")
