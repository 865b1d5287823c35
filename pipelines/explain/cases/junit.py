"""JUnit XML of a run of cases: what continuous integration reads. The same words as on the screen, and no other.

The dialect that Jenkins, GitLab and GitHub's reporters share: `testsuites` of `testsuite` (an event type) of `testcase`
(a case), with `failure` where a case and the program disagree and `error` where a file could not be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET  # only writes: nobody's XML is parsed here

from pipelines.contract.findings import Finding
from pipelines.contract.report import counted
from pipelines.explain.cases.running import Difference, Run


def junit(runs: Sequence[Run], findings: Iterable[Finding]) -> bytes:
    """A whole document, UTF-8."""
    root = ET.Element("testsuites", name="pipelines test")
    for event, cases in groupby(runs, key=lambda run: run.case.event):
        listed = list(cases)
        failed = sum(not run.passed for run in listed)
        suite = ET.SubElement(root, "testsuite", name=event, tests=str(len(listed)), failures=str(failed), errors="0")
        for run in listed:
            _case(suite, run)
    for file, found in groupby(findings, key=lambda one: one.position.file):
        mistakes = list(found)
        suite = ET.SubElement(root, "testsuite", name=file, tests="1", failures="0", errors="1")
        case = ET.SubElement(suite, "testcase", classname=file, name="the file can be read", file=file)
        error = ET.SubElement(case, "error", message=counted(len(mistakes), "mistake"))
        error.text = "\n".join(f"{one.position}: {one.message} [{one.check}]" for one in mistakes)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(suite: ET.Element, run: Run) -> None:
    place = run.case.position
    case = ET.SubElement(
        suite, "testcase", classname=run.case.event, name=run.case.name, file=place.file, line=str(place.line)
    )
    if not run.passed:
        failure = ET.SubElement(case, "failure", message=f"{len(run.differences)} differences")
        failure.text = "\n".join(f"{one.position}: {said(one)}" for one in run.differences)


def said(one: Difference) -> str:
    """A difference on one line."""
    where = f"{one.topic}: {one.field}" if one.field else one.topic or "the event"
    return f"{where}: expected {_word(one.expected)}, came out {_word(one.got)}"


def _word(value: object) -> str:
    match value:
        case None | bool():
            return "null" if value is None else str(value).lower()
        case str() if value.isprintable():
            return value
        case str():
            return ascii(value)
        case list():
            return f"[{', '.join(map(_word, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {_word(item)}' for key, item in value.items())}}}"
    return str(value)
