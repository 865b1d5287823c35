"""Reading an overlay: `overlays/<name>.yaml`, from a node to words about things that the contract has.

    description: …
    purposes:
      NAME: remove | {rotate: …, max_bits: …, review: {expires: …}}
    lists:
      NAME: [what remains]
    topics:
      TOPIC: remove | {ttl: …, late: …, consumers: [who remains]}
      RAW TOPIC: {ttl: …, producers: [who remains]}
      quarantine: {ttl: …, consumers: [who remains]}
      changes: {consumers: [who remains]}
    views:
      EVENT: remove | {TOPIC: remove | {PATH: remove | action, …}, …}

To remove a purpose, a topic or an event type is to remove all views of it. What a value means is for the readers of the
contract's own files, which read it where it takes the place of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from pipelines.contract.findings import Position
from pipelines.contract.folder import LISTS, PURPOSES, TOPICS
from pipelines.contract.model import USUAL_CHANGES, Contract
from pipelines.contract.node import Mapping, Node, Scalar, kind
from pipelines.contract.path import Path
from pipelines.contract.pipeline_topics import CHANGES, QUARANTINE
from pipelines.contract.policy import MAX_RULES
from pipelines.contract.purposes import MAX_ENTRIES
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, text
from pipelines.contract.unread import Unread

_MOST_UNKNOWN: Final = 100
Entry = tuple[Scalar, Node]


@dataclass(slots=True)
class Words:
    """An overlay as it stands: for each thing that the contract has, the entries that it says anew, or `remove`.

    `events` are those that are to go as a whole.
    """

    purposes: dict[str, Entry] = field(default_factory=dict)
    lists: dict[str, Entry] = field(default_factory=dict)
    topics: dict[str, Entry] = field(default_factory=dict)
    events: dict[str, Entry] = field(default_factory=dict)
    views: dict[tuple[str, str], Entry] = field(default_factory=dict)


def is_remove(node: Node) -> bool:
    """Whether an entry says that the thing is to go."""
    return isinstance(node, Scalar) and node.text == "remove"


def read_words(node: Node, base: Contract, lists: frozenset[str], report: Report, unread: Unread) -> Words:
    """An overlay's file; what it says of things that the contract does not have is noted and left out.

    What it says of things that could not be read is left out, and nothing is noted.
    """
    words = Words()
    section = Section.of(node, "An overlay", report)
    if section is None:
        return words
    text(section.need("description"), report)
    parts = {name: Section.of(section.may(name), name, report) for name in ("purposes", "lists", "topics", "views")}
    section.close()
    known = [*base.topics, *base.raw_topics, QUARANTINE]
    known += [] if base.changes == USUAL_CHANGES else [CHANGES]
    words.purposes = _known(parts["purposes"], "purpose", base.purposes, PURPOSES, report, unread.has_purpose)
    words.lists = _known(parts["lists"], "list", lists, LISTS, report)
    words.topics = _known(parts["topics"], "topic", known, TOPICS, report, unread.has_topic)
    events = _known(parts["views"], "event type", base.events, "policies/", report, unread.events.__contains__)
    for event, (key, entry) in events.items():
        if is_remove(entry):
            words.events[event] = (key, entry)
            continue
        topics = [view.topic for view in base.events[event].views]
        policy = f"policies/{event.replace('.', '/', 1)}.yaml"
        section = Section.of(entry, "The views of an event type", report)
        views = _known(section, "view", topics, policy, report, partial(unread.has_view, event))
        words.views |= {(event, topic): view for topic, view in views.items()}
    return words


def _known(
    section: Section | None,
    what: str,
    names: Iterable[str],
    where: str,
    report: Report,
    unread: Callable[[str], bool] = lambda _: False,
) -> dict[str, Entry]:
    known = frozenset(names)
    entries = () if section is None else section.entries(MAX_ENTRIES)
    entries = tuple((key, value) for key, value in entries if not unread(key.text))
    _unknown(what, [key for key, _ in entries if key.text not in known], known, where, report)
    return {key.text: (key, value) for key, value in entries if key.text in known}


def _unknown(what: str, keys: Sequence[Scalar], known: Iterable[str], where: str, report: Report) -> None:
    """Note names that the contract does not have: an overlay that says one would add it, or is believed to tighten it.

    `where` is the place in the contract that has the known ones.
    """
    for key in keys[:_MOST_UNKNOWN]:
        said = f"The contract has no {what} {shown(key.text)} here ({where}).{meant(key.text, known)}"
        report.add("overlay-unknown", key.position, said, "Fix the name, or remove the line: an overlay adds nothing.")


def rules(node: Node, base: Mapping, at: Position, report: Report) -> dict[str, Entry]:
    """What a view's lines say anew, by the path as the contract spells it; `at` is the contract's view."""
    if not isinstance(node, Mapping):
        what = f"A view is `remove` or a mapping here, not {kind(node)}."
        report.add("wrong-shape", node.position, what, "Write `remove`, or `path: action` lines.")
        return {}
    spelled = {normal(key.text): key.text for key, _ in base}
    found: dict[str, Entry] = {}
    entries = Section(node, report).entries(MAX_RULES)
    _unknown("line for", [key for key, _ in entries if normal(key.text) not in spelled], spelled, str(at), report)
    for key, value in entries:
        path = spelled.get(normal(key.text))
        if path is None:
            continue
        if path in found:
            what = f"{shown(key.text)} stands twice (first on line {found[path][0].position.line})."
            report.add("path-twice", key.position, what, "Remove one of them.")
        else:
            found[path] = (key, value)
    return found


def normal(path: str) -> str:
    """A path in its one spelling, or as it stands if it is none."""
    try:
        return str(Path.parse(path))
    except ValueError:
        return path
