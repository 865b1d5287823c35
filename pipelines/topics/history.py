"""The record of changes in words: who changed or replayed what, when, in which plan. Pure; see `record` for its form.

A principal that may write to that topic may write anything. So a record of another form is counted and not shown, and
of the rest every text is printed without what could move a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.topics.recorded import body_of
from pipelines.topics.spans import moment

_SHORT: Final = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the topic of changes: its offset, the broker's time (ms since 1970), and what it says."""

    offset: int
    at_ms: int
    body: Mapping[str, Any]

    @property
    def topics(self) -> frozenset[str]:
        """The topics that it is about."""
        found: list[object] = []
        match self.body:
            case {"kind": "change", "step": {"topic": topic}}:
                found = [topic]
            case {"kind": "resumed", "steps": [*steps]}:
                found = [step.get("topic") for step in steps if isinstance(step, dict)]
            case {"kind": "applied", "audience": {**audience}}:
                found = list(audience)
            case {"kind": "replay", "views": [*views]}:
                found = list(views)
            case {"kind": "replayed", "counts": {**counts}}:
                found = list(counts)
        return frozenset(each for each in found if isinstance(each, str))


def entry(offset: int, at_ms: int, value: bytes | None) -> Entry | None:
    """The entry that a record's value holds; None when it has another form."""
    body = body_of(value)
    return Entry(offset, at_ms, body) if body else None


def history_lines(found: Entry) -> Iterator[str]:
    """One entry in words: a line for when, who and what, and one below it for each detail."""
    body = found.body
    within = next((f"{name} {_text(body[name])[:_SHORT]}" for name in ("plan", "replay") if name in body), "")
    who = _text(body.get("by", "?")) + (f" as {_text(body['principal'])}" if body.get("principal") else "")
    what, *details = _said(body)
    contract = _text(body.get("contract", "?"))[:_SHORT]
    yield f"{moment(found.at_ms)}  {who}  {what}  ({within}{', ' if within else ''}contract {contract})"
    for detail in details:
        yield f"    {detail}"


def _said(body: Mapping[str, Any]) -> list[str]:
    match body:
        case {"kind": "change", "step": step}:
            return _step(step)
        case {"kind": "resumed", "steps": [*steps]}:
            return [f"resumed: {len(steps)} step(s) were found made"]
        case {"kind": "applied"}:
            kept, consumers = _mapping(body.get("kept_from")), _mapping(body.get("audience"))
            later = [
                f"{_text(topic)} kept from {'an unknown time' if at is None else _text(at)}"
                for topic, at in kept.items()
            ]
            return [f"applied: whom {len(consumers)} topic(s) are promised to holds from now on", *later]
        case {"kind": "replay", "event": event, "raw_offsets": count, "views": [*topics]}:
            views = ", ".join(map(_text, topics))
            since, until = _text(body.get("from", "?")), _text(body.get("to", "?"))
            return [
                f"replay of {_text(event)} is about to begin: {_text(count)} raw offset(s) to {views}",
                f"{since} to {until}",
            ]
        case {"kind": "replayed", "event": event, "raw_events": count}:
            return [
                f"replayed {_text(count)} raw event(s) of {_text(event)}",
                *(
                    f"{_text(topic)}: " + ", ".join(f"{_text(n)} {_text(each)}" for n, each in _mapping(counts).items())
                    for topic, counts in _mapping(body.get("counts")).items()
                ),
            ]
    return [f"{_text(body.get('kind', '?'))}: of a kind that this release does not know"]


def _step(step: object) -> list[str]:
    match step:
        case {"kind": "create", "topic": topic, "settings": {**settings}, "partitions": count, "replication": copies}:
            sizes = f"{_text(count)} partition(s), {_text(copies)} replica(s)"
            return [f"create {_text(topic)}: {sizes}", *(f"{_text(n)}={_text(each)}" for n, each in settings.items())]
        case {"kind": "set", "topic": topic, "settings": {**settings}, "before": {**was}}:
            return [
                f"set {_text(topic)}",
                *(f"{_text(n)}: {_text(was.get(n) or 'not set')} -> {_text(each)}" for n, each in settings.items()),
            ]
        case {"kind": "partitions", "topic": topic, "partitions": count, "before": {"partitions": less}}:
            return [f"partitions of {_text(topic)}: {_text(less)} -> {_text(count)}"]
    return ["a step that this release does not know"]


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if not isinstance(value, str | int | None):
        return "?"  # no part of the form is a list or an object where a text or a number is printed
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in str(value))
