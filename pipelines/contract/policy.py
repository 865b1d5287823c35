"""Policies: `policies/<source>/<event>.yaml`, from nodes to lines.

What a line's words mean for the field that it names is the matter of `view` and `operands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.contract.findings import Position
from pipelines.contract.folder import MINIMIZED
from pipelines.contract.model import Never
from pipelines.contract.node import Mapping, Node, Scalar, kind
from pipelines.contract.path import Path
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, text

ACTIONS: Final[dict[str, tuple[str, ...]]] = {  # name -> the words that may stand beside it
    "keep": (),
    "within": (),
    "bucket": ("read",),
    "truncate": ("read",),
    "one_of": ("else",),
    "matches": ("max",),
    "map": ("else",),
    "count": (),
    "count_where": (),
    "present": (),
    "handle": (),
}
BARE: Final = ("keep", "count", "present", "handle")
MAX_VIEWS: Final = 1_000  # as many as topics; how many an event type may have is a check's matter
MAX_RULES: Final = 500
MAX_NEVER: Final = 2_000
_TABLE: Final = "Use an action of the table in docs/contract.md."


@dataclass(frozen=True, slots=True)
class Line:
    """One rule as it stands: a path, an action's name, its operands as nodes, and `as`."""

    path: Path
    action: str
    operand: Node | None
    beside: Mapping | None
    name: Scalar | None
    position: Position


@dataclass(frozen=True, slots=True)
class ViewLines:
    """A view as it stands. `broken` are paths whose rule could not be read: they count as decided, not as allowed.

    `whole`: every line was read.
    """

    topic: str
    lines: tuple[Line, ...]
    broken: tuple[Path, ...]
    position: Position
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it stands. `place` is where a decision that is missing would be added.

    `whole`: everything that decides about a field was read. `views_whole`: every view's name and lines were.
    """

    event: str
    views: tuple[ViewLines, ...]
    never: tuple[Never, ...]
    place: Position
    whole: bool
    views_whole: bool = True


def read_policy(node: Node, event: str, report: Report) -> Policy | None:
    """A policy file; mistakes leave out the lines that they are in."""
    section = Section.of(node, "A policy", report)
    if section is None:
        return None
    before = len(report)
    said = text(name_node := section.need("event"), report)
    if said is not None and name_node is not None and said != event:
        what = f"The policy says it is for {shown(said)}, the file's name says '{event}'."
        report.add("policy-event", name_node.position, what, f"Write `event: {event}` or move the file.")
    views = Section.of(section.need("views"), "views", report)
    never_node = section.may("never")
    never = Section.of(never_node, "never", report)
    section.close()
    read = [_view(key, value, report) for key, value in (() if views is None else views.entries(MAX_VIEWS))]
    place = next((key.position for key, _ in section.node if key.text == "never"), section.node.position)
    reasons = () if never is None else tuple(_never(never, report))
    # What could not be read at all might have decided anything: nothing is then said to be undecided.
    views_whole = views is not None and None not in read
    whole = views_whole and (never is not None or never_node is None)
    whole = whole and not any(check == "path-syntax" for check, _ in report.mistakes[before:])
    return Policy(event, tuple(view for view in read if view is not None), reasons, place, whole, views_whole)


def _view(key: Scalar, node: Node, report: Report) -> ViewLines | None:
    if not MINIMIZED.fullmatch(key.text):
        what = f"{shown(key.text)} is not a valid minimized topic name."
        report.add("topic-name", key.position, what, "Write <category>.<purpose>.")
        return None
    section = Section.of(node, "A view", report)
    if section is None:
        return None
    before = len(report)
    lines: list[Line] = []
    broken: list[Path] = []
    seen: dict[Path, Position] = {}
    if not section.node.entries:
        report.add("view-empty", key.position, "The view has no rule.", "Add rules, or remove the view.")
    for path_node, rule in section.entries(MAX_RULES):
        path = _value_path(path_node, report)
        if path is None:
            continue
        if path in seen:
            what = f"{shown(str(path))} stands twice (first on line {seen[path].line})."
            report.add("path-twice", path_node.position, what, "Remove one of them.")
            continue
        seen[path] = path_node.position
        line = _line(path, path_node, rule, report)
        if line is None:
            broken.append(path)
        else:
            lines.append(line)
    return ViewLines(key.text, tuple(lines), tuple(broken), key.position, whole=len(report) == before)


def _path(node: Scalar, report: Report) -> Path | None:
    try:
        path = Path.parse(node.text)
    except ValueError as error:
        report.add(
            "path-syntax",
            node.position,
            f"{shown(node.text)} is not a valid path: {error}.",
            'Write a.b, a[].b or a{"key"}.',
        )
        return None
    if any(step.keys for step in path.steps[:-1]):
        what = f"{shown(node.text)} goes into the keys of a map: nothing is there."
        report.add("path-syntax", node.position, what, 'End the path with {}, or name an entry: FIELD{"key"}.')
        return None
    if sum(step.items for step in path.steps) > 1:
        what = f"{shown(node.text)} goes into an array within an array."
        report.add("path-nested-array", node.position, what, "Use count on the inner array, or nothing.")
        return None
    return path


def _value_path(node: Scalar, report: Report) -> Path | None:
    """A path that a rule may have: one to a value, as a map's keys are for `never` alone."""
    path = _path(node, report)
    if path is None or not path.steps[-1].keys:
        return path
    what = f"{shown(node.text)} names the keys of a map, of which no view says anything."
    report.add("path-syntax", node.position, what, "Count the map, or put the line into `never`.")
    return None


def _line(path: Path, path_node: Scalar, rule: Node, report: Report) -> Line | None:
    name: Scalar | None = None
    if isinstance(rule, Mapping) and rule.get("do") is not None:
        section = Section(rule, report)
        inner, name_node = section.need("do"), section.need("as")
        section.close()
        if name_node is not None and not isinstance(name_node, Scalar):
            text(name_node, report)
        if inner is None or not isinstance(name_node, Scalar):
            return None
        rule, name = inner, name_node
    action = _action(rule, report)
    if action is None:
        return None
    word, operand, beside = action
    return Line(path, word, operand, beside, name, path_node.position)


def _action(rule: Node, report: Report) -> tuple[str, Node | None, Mapping | None] | None:
    """(action, operand, the mapping it stands in), or None after a mistake."""
    if isinstance(rule, Scalar):
        if rule.text in BARE:
            return rule.text, None, None
        if rule.text in ACTIONS:
            report.add("rule-shape", rule.position, f"'{rule.text}' needs an operand.", f"Write {{{rule.text}: …}}.")
        else:
            what = f"{shown(rule.text)} is not an action.{meant(rule.text, ACTIONS)}"
            report.add("rule-action", rule.position, what, _TABLE)
        return None
    if not isinstance(rule, Mapping):
        report.add(
            "rule-shape", rule.position, f"A rule is an action, not {kind(rule)}.", "Write `keep` or {action: operand}."
        )
        return None
    words = [key for key, _ in rule if key.text in ACTIONS]
    if len(words) != 1:
        known = {*ACTIONS, "do"}
        wrong = next((key for key, _ in rule if key.text not in {*known, "else", "max", "read", "as"}), None)
        if wrong is not None and not words:
            what = f"{shown(wrong.text)} is not an action.{meant(wrong.text, known)}"
            report.add("rule-action", wrong.position, what, _TABLE)
        else:
            report.add(
                "rule-shape", rule.position, "A rule has one action.", "Write one action; rules cannot be combined."
            )
        return None
    word = words[0].text
    if word in BARE:
        report.add("rule-shape", words[0].position, f"'{word}' takes no operand.", f"Write `{word}`.")
        return None
    before = len(report)
    section = Section(rule, report)
    operand = section.need(word)
    for beside in ACTIONS[word]:
        section.may(beside)
    section.close()
    return None if len(report) > before else (word, operand, rule)


def _never(section: Section, report: Report) -> list[Never]:
    reasons = []
    seen: dict[Path, Position] = {}
    for key, value in section.entries(MAX_NEVER):
        path = _path(key, report)
        if path is None:
            continue
        if path in seen:
            what = f"{shown(str(path))} stands twice (first on line {seen[path].line})."
            report.add("path-twice", key.position, what, "Remove one of them.")
        seen[path] = key.position
        reasons.append(Never(path, text(value, report) or "", key.position))
    return reasons
