"""Tightening: every value that an overlay says anew, against the contract's. What is not tighter is a mistake.

Both values were read by the readers of the contract's own files; a value that could not be read is their mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pipelines.contract.actions import Action
from pipelines.contract.changes.order import follows
from pipelines.contract.changes.spelling import action
from pipelines.contract.draft import Draft
from pipelines.contract.findings import Position
from pipelines.contract.model import Contract, QuarantineTopic, RawTopic, Topic
from pipelines.contract.node import Node, Scalar, Sequence
from pipelines.contract.overlay.laid import Edit
from pipelines.contract.overlay.reading import QUARANTINE
from pipelines.contract.report import Mistake, shown
from pipelines.contract.section import spelled
from pipelines.contract.view import Resolved

_LESS: Final = "An overlay may only make things tighter: remove the line, or change the contract and have it reviewed."
_MOST_SHOWN: Final = 100


def loosened(draft: Draft) -> Iterator[Mistake]:
    """An edit by which somebody would learn more, longer, or of more people."""
    for edit in () if draft.laid is None else draft.laid.edits:
        yield from _LOOKS[edit.thing[0]](draft, draft.laid.base, edit) if draft.laid is not None else ()


def needless(draft: Draft) -> Iterator[Mistake]:
    """An edit that says what the contract says."""
    for edit in () if draft.laid is None else draft.laid.edits:
        if edit.there is not None and draft.laid is not None and _same(draft, draft.laid.base, edit):
            what = f"The contract says the same ({edit.at})."
            yield Mistake(edit.here.position, what, "Remove the line: it promises something that it does not do.")


def _mistake(at: Position, what: str, edit: Edit) -> Mistake:
    return Mistake(at, f"{what} ({edit.at}).", _LESS)


def _number(what: str, get: Callable[[Contract | Draft, str], int | None], say: Callable[[int], str]) -> _Look:
    def look(draft: Draft, base: Contract, edit: Edit) -> Iterator[Mistake]:
        new, old = get(draft, edit.thing[1]), get(base, edit.thing[1])
        if new is not None and old is not None and new > old:
            said = f"'{edit.thing[1]}' would have {what} of {say(new)}; the contract says {say(old)}"
            yield _mistake(edit.here.position, said, edit)

    return look


def _rotate(draft: Draft, base: Contract, edit: Edit) -> Iterator[Mistake]:
    name = edit.thing[1]
    if name not in draft.purposes:
        return
    new, old = draft.purposes[name].rotate_ms, base.purposes[name].rotate_ms
    if new > old:
        said = f"Handles of '{name}' would stay the same for {spelled(new)}; the contract says {spelled(old)}"
        yield _mistake(edit.here.position, said, edit)
    elif old % new:
        said = (
            f"{spelled(new)} does not divide '{name}'s {spelled(old)}: an epoch would reach over the end of one of the "
            "contract's, and link what it does not"
        )
        yield _mistake(edit.here.position, said, edit)


def _expires(draft: Draft, base: Contract, edit: Edit) -> Iterator[Mistake]:
    name = edit.thing[1]
    new = draft.purposes[name].review if name in draft.purposes else None
    old = base.purposes[name].review
    if new is not None and old is not None and new.expires > old.expires:
        said = f"The review of '{name}' would stand until {new.expires}; the contract says {old.expires}"
        yield _mistake(edit.here.position, said, edit)


def _members(what: str) -> _Look:
    def look(_: Draft, __: Contract, edit: Edit) -> Iterator[Mistake]:
        known = set(_texts(edit.there))
        new = [item for item in _items(edit.here) if isinstance(item, Scalar) and item.text not in known]
        for item in new[:_MOST_SHOWN]:
            said = f"'{edit.thing[1]}' would have one more {what}, {shown(item.text)}, which the contract has not"
            yield _mistake(item.position, said, edit)

    return look


def _rule(draft: Draft, base: Contract, edit: Edit) -> Iterator[Mistake]:
    new, old = _line(draft, edit), _base_action(base, edit)
    if new is None or old is None or follows(old, new.rule.action, new.type):
        return
    done, does = action(old), action(new.rule.action)
    said = f"'{edit.thing[3]}' would tell `{does}`, which does not follow from the contract's `{done}`"
    yield _mistake(edit.here.position, said, edit)


def _line(draft: Draft, edit: Edit) -> Resolved | None:
    _, event, topic, _ = edit.thing
    views = [view for view in draft.events[event].views if view.topic == topic]
    lines = [line for view in views for line in view.resolved]
    return next((line for line in lines if line.rule.position == edit.here.position), None)


def _base_action(base: Contract, edit: Edit) -> Action | None:
    _, event, topic, _ = edit.thing
    views = [view for view in base.events[event].views if view.topic == topic]
    return next((rule.action for view in views for rule in view.rules if rule.position == edit.at), None)


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else ()


def _texts(node: Node | None) -> list[str]:
    return [item.text for item in _items(node) if isinstance(item, Scalar)]


def _same(draft: Draft, base: Contract, edit: Edit) -> bool:
    if edit.thing[0] == "rule":
        line = _line(draft, edit)
        return line is not None and line.rule.action == _base_action(base, edit)
    if isinstance(edit.here, Sequence):
        return sorted(_texts(edit.here)) == sorted(_texts(edit.there))
    if not isinstance(edit.here, Scalar):
        return False
    return isinstance(edit.there, Scalar) and edit.here.text.split() == edit.there.text.split()


def _ttl(of: Contract | Draft, name: str) -> int | None:
    topics = _all(of)
    return topics[name].ttl_ms if name in topics else None


def _late(of: Contract | Draft, name: str) -> int | None:
    topics = of.topics if isinstance(of, Contract) else of.topics.minimized if of.topics else {}
    return topics[name].late_ms if name in topics else None


def _bits(of: Contract | Draft, name: str) -> int | None:
    return of.purposes[name].max_bits if name in of.purposes else None


def _all(of: Contract | Draft) -> dict[str, Topic | RawTopic | QuarantineTopic]:
    if isinstance(of, Contract):
        return {**of.topics, **of.raw_topics, QUARANTINE: of.quarantine}
    if of.topics is None:
        return {}
    more = {} if of.topics.quarantine is None else {QUARANTINE: of.topics.quarantine}
    return {**of.topics.minimized, **of.topics.raw, **more}


_Look = Callable[[Draft, Contract, Edit], Iterator[Mistake]]
_LOOKS: Final[dict[str, _Look]] = {
    "ttl": _number("a TTL", _ttl, spelled),
    "late": _number("a `late`", _late, spelled),
    "max_bits": _number("a max_bits", _bits, str),
    "rotate": _rotate,
    "expires": _expires,
    "consumers": _members("consumer"),
    "producers": _members("producer"),
    "list": _members("word"),
    "rule": _rule,
}
