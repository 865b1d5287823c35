"""Reading: the bytes of one contract file become nodes with positions, or mistakes.

YAML 1.2 without what makes a file mean something else than it shows: no aliases, anchors, tags, directives, duplicate
keys, second documents, tabs, control or bidirectional characters. A schema file is JSON, so it goes the same way and
must be JSON besides. Never resolves a scalar, never constructs an object, and gives up at 64 levels or 50,000 values.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from pipelines.contract.findings import Position
from pipelines.contract.json_pairs import Respelled, respell_pairs
from pipelines.contract.node import Mapping, Node, Scalar, Sequence
from pipelines.contract.report import Report, shown

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_NODES: Final = 50_000
_LONGEST: Final = 100
_LONG_NUMBER: Final = re.compile(r"[0-9]{4301}")
# libyaml, which PyYAML's wheels contain: 15 times as fast as its Python twin, with the same events.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(data: bytes, file: str, report: Report, *, strict_json: bool = False, raw_values: bool = False) -> Node | None:
    """Parse one file.

    Args:
        data: the file's content, at most `MAX_BYTES`.
        file: its path in the contract's folder, for positions.
        report: where mistakes go.
        strict_json: the file must be JSON too.
        raw_values: the file holds raw values, and a key may be one (a map's): no key is quoted.

    Returns:
        The document's node; None when there was any mistake.
    """
    before = len(report)
    text = _text(data, file, report)
    if text is None:
        return None
    respelled = respell_pairs(text) if strict_json else Respelled(text)
    node = _Composer(file, report, respelled, raw_values=raw_values).compose()
    if len(report) > before or node is None:
        return None
    return node if not strict_json or _is_json(text, file, report) else None


def _text(data: bytes, file: str, report: Report) -> str | None:
    start = Position(file)
    if len(data) > MAX_BYTES:
        report.add("file-size", start, "The file is larger than 1 MiB.", "Contract files are small; split or clean it.")
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:  # its .object is the whole file: say where, keep nothing
        line = data.count(b"\n", 0, error.start)
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8")) + 1
        report.add("file-encoding", Position(file, line + 1, column), "The file is not UTF-8.", "Save it as UTF-8.")
        return None
    if (tab := text.find("\t")) >= 0:
        report.add("yaml-tab", _place(text, tab, file), "A tab.", "Use spaces; inside a quoted text write \\t.")
    hidden = _hidden(text.replace("\t", " "))
    if hidden >= 0:
        place = _place(text, hidden, file)
        report.add("yaml-character", place, "A character that a reader does not see.", "Remove it.")
    return None if tab >= 0 or hidden >= 0 else text


def _hidden(text: str) -> int:
    """The index of the first character that is not printed: -1 if there is none.

    Controls, lone carriage returns, the line breaks that only YAML 1.1 or Unicode know, no-break spaces, byte order
    marks, bidirectional overrides ("Trojan source", CVE-2021-42574), and surrogates, which an escape can spell but
    UTF-8 cannot.
    """
    begin = 0
    for line in text.split("\n"):
        if not line.removesuffix("\r").isprintable():
            return begin + next(at for at, char in enumerate(line) if not char.isprintable())
        begin += len(line) + 1
    return -1


def _place(text: str, index: int, file: str) -> Position:
    return Position(file, text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1)


def _is_json(text: str, file: str, report: Report) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        place = Position(file, error.lineno, error.colno)
        report.add(
            "schema-json", place, f"The schema is not JSON: {error.msg}.", "Avro schemas are JSON; fix the syntax."
        )
        return False
    except ValueError:  # Python converts no number of more than 4,300 digits
        number = _LONG_NUMBER.search(text)
        place = Position(file) if number is None else _place(text, number.start(), file)
        report.add(
            "schema-json",
            place,
            "A number of more than 4,300 digits.",
            "Write a number that the field's type can hold.",
        )
        return False
    return True


class _TooMuch(Exception):  # noqa: N818 - a way out of the parser, never seen outside this module
    pass


class _Composer:
    """Builds nodes from parse events. Depth is bounded before anything recurses, so recursion is safe."""

    def __init__(self, file: str, report: Report, respelled: Respelled, *, raw_values: bool) -> None:
        self._respelled = respelled
        self._file = file
        self._report = report
        self._raw_values = raw_values
        self._events: Any = None
        self._nodes = 0

    def compose(self) -> Node | None:
        try:
            self._events = iter(yaml.parse(self._respelled.text, Loader=_LOADER))
            return self._document()
        except _TooMuch:
            return None
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Position(self._file) if mark is None else self._at(mark)
            said = str(error.problem or "it cannot be parsed").replace("<stream end>", "the end of the file")
            said = "a tag (!) that nobody declared" if "tag handle" in said else said  # the parser quotes the value
            said = said if said.isprintable() and len(said) <= _LONGEST else "it cannot be parsed"
            self._report.add(
                "yaml-syntax", place, f"This is not YAML: {said}.", "Fix the syntax (quote special characters)."
            )
        except YAMLError:
            self._syntax(Position(self._file))
        except (ValueError, ArithmeticError, LookupError, RecursionError, AssertionError, AttributeError, TypeError):
            self._syntax(Position(self._file))  # what the parser lets through on broken input, e.g. \UFFFFFFFF
        return None

    def _syntax(self, place: Position) -> None:
        self._report.add("yaml-syntax", place, "This is not YAML.", "Fix the syntax (quote special characters).")

    def _document(self) -> Node | None:
        documents, root = 0, None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if event.version is not None or event.tags:
                    self._report.add(
                        "yaml-directive", self._at(event.start_mark), "A % directive.", "Remove it; YAML 1.2 is meant."
                    )
                if documents > 1:
                    self._report.add(
                        "yaml-documents",
                        self._at(event.start_mark),
                        "A second document.",
                        "One file holds one document.",
                    )
                    break
            elif isinstance(event, (ScalarEvent, AliasEvent, MappingStartEvent, SequenceStartEvent)):
                root = self._node(event, 1)
        if root is None and documents == 0:
            self._report.add(
                "yaml-empty", Position(self._file), "The file is empty.", "Write its content or remove the file."
            )
        return root

    def _node(self, event: Any, depth: int) -> Node:
        place = self._at(event.start_mark)
        self._nodes += 1
        if depth > MAX_DEPTH:
            self._report.add("yaml-depth", place, f"Nested more than {MAX_DEPTH} deep.", "Flatten it.")
            raise _TooMuch
        if self._nodes > MAX_NODES:
            self._report.add(
                "yaml-nodes", place, f"More than {MAX_NODES:,} values.", "Contract files are small; split it."
            )
            raise _TooMuch
        if isinstance(event, AliasEvent):
            self._report.add(
                "yaml-alias", place, "An alias (*).", "Write the value out: a reviewer reads it where it stands."
            )
            return Scalar("", place)
        if event.anchor is not None:
            self._report.add("yaml-anchor", place, "An anchor (&).", "Remove it: values are not shared by reference.")
        if event.tag is not None:
            self._report.add(
                "yaml-tag", place, "A tag (!).", "Remove it: a value's type comes from the field it speaks of."
            )
        match event:
            case ScalarEvent():
                return self._scalar(event, place)
            case SequenceStartEvent():
                return self._sequence(place, depth)
            case _:
                return self._mapping(place, depth)

    def _scalar(self, event: Any, place: Position) -> Scalar:
        if _hidden(event.value) >= 0 or "\r" in event.value:
            self._report.add(
                "yaml-character", place, "A text with a character that a reader does not see.", "Remove it."
            )
        return Scalar(event.value, place, plain=event.style is None or event.style == "")

    def _sequence(self, place: Position, depth: int) -> Sequence:
        items = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(tuple(items), place)

    def _mapping(self, place: Position, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if isinstance(value, Scalar) and value.plain and not value.text:
                value = Scalar("", key.position)  # the parser says that nothing stands where the next thing begins
            if not isinstance(key, Scalar):
                self._report.add("yaml-key", key.position, "A key that is not a text.", "Keys are plain texts.")
            elif key.text in entries:
                first = entries[key.text][0].position
                named = "A key" if self._raw_values else f"The key {shown(key.text)}"
                what = f"{named} stands twice (first on line {first.line})."
                self._report.add("yaml-duplicate-key", key.position, what, "Remove one of them.")
            else:
                entries[key.text] = (key, value)
        return Mapping(tuple(entries.values()), place)

    def _at(self, mark: Any) -> Position:
        return Position(self._file, mark.line + 1, self._respelled.column(mark.line, mark.column) + 1)
