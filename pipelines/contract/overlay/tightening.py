"""Tightening: every value that an overlay says anew, against the contract's. What is not tighter is a mistake.

Both values were read by the readers of the contract's own files; a value that could not be read is their mistake. What
a view tells is the matter of `telling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from pipelines.contract.draft import Draft
from pipelines.contract.model import ChangesTopic, Contract, QuarantineTopic, RawTopic, Topic
from pipelines.contract.node import Node, Scalar, Sequence
from pipelines.contract.overlay.laid import Edit
from pipelines.contract.overlay.removing import AUDIT
from pipelines.contract.overlay.telling import Told, list_tells, rule_tells, says_the_same
from pipelines.contract.pipeline_topics import CHANGES, QUARANTINE
from pipelines.contract.report import Mistake, shown
from pipelines.contract.section import spelled

_SAYS_NOTHING: Final = "Remove the line: it promises something that it does not do."
_EVIDENCE: Final = "Remove the line: an overlay cannot shorten the audit trail."
_MOST_SHOWN: Final = 100


def loosened(draft: Draft) -> Iterator[Mistake]:
    """A line by which somebody would learn more, longer, or of more people, or auditors could prove less."""
    if draft.laid is None:
        return
    for key, topic in draft.laid.ending:
        what = (
            f"'{topic}' would be gone; the contract promises it to auditors ({draft.laid.base.topics[topic].position})."
        )
        yield Mistake(key.position, what, _EVIDENCE)
    for edit in draft.laid.edits:
        for told in KINDS[edit.thing[0]](draft, draft.laid.base, edit):
            yield Mistake(told.at, f"{told.what} ({edit.at}).", told.remedy)


def needless(draft: Draft) -> Iterator[Mistake]:
    """An edit that says what the contract says, or of what is gone."""
    if draft.laid is None:
        return
    for edit in draft.laid.edits:
        if _same(draft, draft.laid.base, edit):
            yield Mistake(edit.here.position, f"The contract says the same ({edit.at}).", _SAYS_NOTHING)
    for key in draft.laid.moot:
        what = f"Under this overlay {shown(key.text)} is gone already, by another line or with what it is for."
        yield Mistake(key.position, what, _SAYS_NOTHING)


def _larger(said: str) -> _Look:
    def look(draft: Draft, base: Contract, edit: Edit) -> Iterator[Told]:
        kind, name = edit.thing
        new, old = _size(draft, kind, name), _size(base, kind, name)
        if new is None or old is None:
            return
        if new > old:
            has = "the contract says" if edit.there is not None else "without a line the contract has"
            what = f"{said.format(name, _written(edit.here, new))}; {has} {_written(edit.there, old)}"
            yield Told(edit.here.position, what)
        elif kind == "rotate" and old % new:
            every, each = _written(edit.here, new), _written(edit.there, old)
            does = "an epoch would reach over the end of one of the contract's, and link what it does not"
            yield Told(edit.here.position, f"{every} does not divide the {each} of the contract for '{name}': {does}")
        elif new < old and (ends := _evidence(base, kind, name)):
            short, long = _written(edit.here, new), _written(edit.there, old)
            what = f"{ends} {short} only; the contract promises auditors {long}"
            yield Told(edit.here.position, what, _EVIDENCE)

    return look


def _evidence(base: Contract, kind: str, name: str) -> str:
    """What of the audit trail would end earlier by a smaller value, up to the value; nothing if nothing would."""
    if kind == "ttl" and name == CHANGES:
        return f"'{CHANGES}' would keep the record of changes for"
    if kind == "ttl" and name.startswith(AUDIT):
        return f"'{name}' would keep its records for"
    audits = sorted(
        topic.name for topic in base.topics.values() if topic.purpose == name and topic.name.startswith(AUDIT)
    )
    if kind == "expires" and audits:
        return f"The review of '{name}' would feed '{audits[0]}' until"
    return ""


def _members(what: str) -> _Look:
    def look(_: Draft, __: Contract, edit: Edit) -> Iterator[Told]:
        known = set(_texts(edit.there))
        new = [item for item in _items(edit.here) if isinstance(item, Scalar) and item.text not in known]
        for item in new[:_MOST_SHOWN]:
            said = f"'{edit.thing[1]}' would have one more {what}, {shown(item.text)}, which the contract does not have"
            yield Told(item.position, said)

    return look


def _same(draft: Draft, base: Contract, edit: Edit) -> bool:
    kind, name, *_ = edit.thing
    if kind == "rule":
        return says_the_same(draft, base, edit)
    if kind in _SIZES:
        size = _size(draft, kind, name)
        return size is not None and size == _size(base, kind, name)
    return isinstance(edit.here, Sequence) and sorted(_texts(edit.here)) == sorted(_texts(edit.there))


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else ()


def _texts(node: Node | None) -> list[str]:
    return [item.text for item in _items(node) if isinstance(item, Scalar)]


def _written(node: Node | None, size: int) -> str:
    """A value as its file spells it, or as a file would."""
    if isinstance(node, Scalar):
        return shown(node.text).strip("'")
    return spelled(size)


def _size(of: Contract | Draft, kind: str, name: str) -> int | None:
    """What a file says of a thing as a number that can be compared; None where it could not be read."""
    if kind == "ttl":
        topics = _all(of)
        return topics[name].ttl_ms if name in topics else None
    if kind == "late":
        topic = _all(of).get(name)
        return topic.late_ms if isinstance(topic, Topic) else None
    purpose = of.purposes.get(name)
    if purpose is None:
        return None
    if kind == "expires":
        return None if purpose.review is None else purpose.review.expires.toordinal()
    return purpose.rotate_ms if kind == "rotate" else purpose.max_bits


def _all(of: Contract | Draft) -> dict[str, Topic | RawTopic | QuarantineTopic | ChangesTopic]:
    if isinstance(of, Contract):
        return {**of.topics, **of.raw_topics, QUARANTINE: of.quarantine, CHANGES: of.changes}
    if of.topics is None:
        return {}
    more = {} if of.topics.quarantine is None else {QUARANTINE: of.topics.quarantine}
    return {**of.topics.minimized, **of.topics.raw, **more, CHANGES: of.topics.changes}


_Look = Callable[[Draft, Contract, Edit], Iterator[Told]]
_SIZES: Final[dict[str, _Look]] = {
    "ttl": _larger("'{}' would have a TTL of {}"),
    "late": _larger("'{}' would have a `late` of {}"),
    "max_bits": _larger("'{}' would have a max_bits of {}"),
    "rotate": _larger("Handles of '{}' would stay the same for {}"),
    "expires": _larger("The review of '{}' would stand until {}"),
}
KINDS: Final[dict[str, _Look]] = {
    **_SIZES,
    "consumers": _members("consumer"),
    "producers": _members("producer"),
    "list": lambda *args: chain(_members("word")(*args), list_tells(*args)),
    "rule": rule_tells,
}
