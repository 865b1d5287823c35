"""Laying: the nodes of the contract's files, with what an overlay says anew in the place of theirs.

What was replaced has the overlay's place, so whatever reads it finds its mistakes there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.contract.model import Contract, Linkage
from pipelines.contract.node import Mapping, Node, Scalar
from pipelines.contract.overlay.laid import Edit, Laid
from pipelines.contract.overlay.reading import Entry, is_remove, read_words, rules
from pipelines.contract.overlay.removing import ending, moot, removed
from pipelines.contract.pipeline_topics import CHANGES, QUARANTINE
from pipelines.contract.report import Report
from pipelines.contract.section import Section, bad
from pipelines.contract.unread import Unread

_OF_MINIMIZED = ("ttl", "late", "consumers")
_OF_RAW = ("ttl", "producers")
_OF_ONE = dict.fromkeys((QUARANTINE, CHANGES), ("ttl", "consumers"))

_Lay = Callable[[str, Scalar, Node, Node], Node]  # name, the contract's key, the overlay's value, the contract's


class Laying:
    """One overlay over one contract: gives for each file's node the node with the overlay in it.

    Args:
        name: the overlay's.
        node: its file.
        base: the contract without it.
        lists: the names of the contract's lists.
        report: where mistakes go.
        unread: what of the contract could not be read. What the overlay says of that is not looked at.
    """

    def __init__(
        self, name: str, node: Node, base: Contract, lists: frozenset[str], report: Report, unread: Unread
    ) -> None:
        self._name = name
        self._base = base
        self._report = report
        self._words = read_words(node, base, lists, report, unread)
        self._edits: list[Edit] = []
        self._removed = removed(base, self._words, unread)

    def done(self) -> Laid:
        """What was done, once all files have been through."""
        base, words, gone = self._base, self._words, self._removed
        return Laid(self._name, base, tuple(self._edits), gone, moot(base, words, gone), ending(base, words, gone))

    def lists(self, node: Node) -> Node:
        """The node of policies/lists.yaml."""
        return self._each(node, self._words.lists, lambda name, _, entry, old: self._edit(("list", name), entry, old))

    def purposes(self, node: Node) -> Node:
        """The node of policies/purposes.yaml."""
        return self._each(node, self._words.purposes, self._purpose, self._removed.purposes)

    def topics(self, node: Node) -> Node:
        """The node of topics.yaml."""
        if not isinstance(node, Mapping):
            return node
        words = self._words.topics
        entries: list[Entry] = []
        for key, value in node:
            if key.text in _OF_ONE:
                mine, entry = words.get(key.text, (key, None))
                entries.append((mine, value if entry is None else self._topic(key.text, key, entry, value)))
            else:
                entries.append((key, self._each(value, words, self._topic, self._removed.topics)))
        return replace(node, entries=tuple(entries))

    def policy(self, event: str, node: Node) -> Node:
        """The node of an event type's policy."""
        views = node.get("views") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or views is None:
            return node
        words = {topic: entry for (of, topic), entry in self._words.views.items() if of == event}
        gone = frozenset(topic for of, topic in self._removed.views if of == event)
        laid = self._each(views, words, lambda *view: self._view(event, *view), gone)
        return replace(node, entries=tuple((key, laid if value is views else value) for key, value in node))

    def linkage(self, linkage: Linkage) -> Linkage:
        """What was accepted, without that of which the overlay leaves nothing to accept."""
        there = {(event.name, view.purpose) for event in self._base.events.values() for view in event.views
                 if (event.name, view.topic) not in self._removed.views}  # fmt: skip
        kept = tuple(one for one in linkage.accepted if all((one.event, name) in there for name in one.purposes))
        purposes = {name for _, name in there}
        across = tuple(one for one in linkage.across_epochs if one.purpose in purposes)
        return replace(linkage, accepted=kept, across_epochs=across)

    def _each(self, node: Node, words: dict[str, Entry], lay: _Lay, gone: frozenset[str] = frozenset()) -> Node:
        if not isinstance(node, Mapping):
            return node
        entries: list[Entry] = []
        for key, value in node:
            if key.text in gone:
                continue
            if key.text in words:
                mine, entry = words[key.text]
                entries.append((replace(key, position=mine.position), lay(key.text, key, entry, value)))
            else:
                entries.append((key, value))
        return replace(node, entries=tuple(entries))

    def _edit(self, thing: tuple[str, ...], here: Node, there: Node | None, at: Node | None = None) -> Node:
        place = there if there is not None else at
        self._edits.append(Edit(thing, here, there, here.position if place is None else place.position))
        return here

    def _keys(self, name: str, key: Scalar, entry: Node, old: Node, words: tuple[str, ...]) -> Node:
        """A mapping's values for some words, each of which the contract has or leaves to a default."""
        section = Section.of(entry, f"What an overlay says of '{name}'", self._report)
        if section is None or not isinstance(old, Mapping):
            return old
        said = {word: node for word in words if (node := section.may(word)) is not None}
        section.close()
        for word, node in said.items():
            self._edit((word, name), node, old.get(word), key)
        kept = tuple((word, said.pop(word.text, value)) for word, value in old)
        return replace(old, entries=(*kept, *((Scalar(word, node.position), node) for word, node in said.items())))

    def _topic(self, name: str, key: Scalar, entry: Node, old: Node) -> Node:
        known = _OF_ONE.get(name) or (_OF_RAW if name in self._base.raw_topics else _OF_MINIMIZED)
        if is_remove(entry):
            what = f"'{name}' cannot be removed: the relay cannot do without it."
            bad(self._report, entry, what, "Remove the views of an event type, and the topic's producers or consumers.")
            return old
        return self._keys(name, key, entry, old, known)

    def _purpose(self, name: str, key: Scalar, entry: Node, old: Node) -> Node:
        section = Section.of(entry, f"What an overlay says of '{name}'", self._report)
        if section is None or not isinstance(old, Mapping):
            return old
        said, review = [(word, section.may(word)) for word in ("rotate", "max_bits")], section.may("review")
        section.close()
        plain = Mapping(tuple((Scalar(word, key.position), node) for word, node in said if node), entry.position)
        laid = self._keys(name, key, plain, old, ("rotate", "max_bits"))
        signed = old.get("review")
        if review is None or not isinstance(laid, Mapping):
            return laid
        if signed is None:
            bad(self._report, review, f"'{name}' has no review that could expire earlier.", "Remove the line.")
            return laid
        ends = self._keys(name, key, review, signed, ("expires",))
        ends = replace(ends, position=review.position)
        return replace(laid, entries=tuple((word, ends if value is signed else value) for word, value in laid))

    def _view(self, event: str, topic: str, view: Scalar, entry: Node, old: Node) -> Node:
        if not isinstance(old, Mapping):
            return old
        said = rules(entry, old, view.position, self._report)
        entries: list[Entry] = []
        for key, rule in old:
            if key.text not in said:
                entries.append((key, rule))
                continue
            mine, anew = said[key.text]
            if not is_remove(anew):
                laid = self._rule(anew, rule)
                self._edit(("rule", event, topic, key.text), mine, key)
                entries.append((replace(key, position=mine.position), laid))
        return replace(old, entries=tuple(entries))

    def _rule(self, anew: Node, old: Node) -> Node:
        """The overlay's action, under the name that the contract gives its value."""
        if isinstance(anew, Mapping) and anew.get("do") is not None:
            bad(self._report, anew, "An overlay renames nothing.", "Write the action alone; the name stays.")
        name = old.get("as") if isinstance(old, Mapping) and old.get("do") is not None else None
        if name is None:
            return anew
        return Mapping(((Scalar("do", anew.position), anew), (Scalar("as", name.position), name)), anew.position)
