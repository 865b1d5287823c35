"""A plan and its application in words, for whoever reviews or runs it: lines of text, no colours, no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.topics.applying import Applied
from pipelines.topics.document import fingerprint
from pipelines.topics.latecomers import HeldBack
from pipelines.topics.notices import Notice
from pipelines.topics.planning import Danger, Entry, Plan
from pipelines.topics.spans import is_endless, lasting, moment, span
from pipelines.topics.steps import Step

_WHY: Final = {
    Danger.LONGER: "KEPT LONGER",
    Danger.CONSUMER: "NEW CONSUMERS",
    Danger.PURPOSE: "NEW PURPOSE",
    Danger.PARTITIONS: "MORE PARTITIONS",
}
_AHEAD: Final = "records that are ahead of the clock may be there, and keep their segments; see `topics verify`"
_WIDTH: Final = 34


def plan_lines(planned: Plan, *, offline: bool = False) -> Iterator[str]:
    """The whole plan, the most dangerous first."""
    brokers, topics = len(planned.state.brokers), len(planned.state.topics)
    seen = f"{brokers} broker(s) as Kafka comes, no cluster asked" if offline else f"{brokers} broker(s), {topics} of"
    yield f"Contract {planned.contract[:12]}, {seen}" + ("" if offline else " its topics there")
    for entry in planned.entries:
        yield ""
        yield from entry_lines(entry)
    if planned.notices:
        yield ""
        yield "To know, or to do by hand:"
        for notice in planned.notices:
            yield from notice_lines(notice)
    yield ""
    waiting = sum(entry.held is not None for entry in planned.entries)
    if planned.is_empty and waiting:
        yield f"Nothing to apply yet: {waiting} topic(s) wait until late records have expired."
    elif planned.is_empty and any(notice.broken for notice in planned.notices):
        yield "Nothing to apply. What is marked with ! above has to be fixed by hand."
    elif planned.is_empty:
        yield "Nothing to apply: the topics are as the contract says."
    else:
        yield f"{len(planned.steps)} step(s), fingerprint {fingerprint(planned)}."


def entry_lines(entry: Entry) -> Iterator[str]:
    """One topic: why to look at it, how long it keeps records before and after, and every setting."""
    why = ", ".join(_WHY[danger] for danger in entry.dangers if danger in _WHY)
    made = "created" if entry.is_new else "changed"
    if entry.is_new and entry.worst_ms is None:
        made = "cannot be created"
    yield f"{'!' if why else '~'} {entry.topic}: {made}{f' ({why})' if why else ''}"
    ttl, lives = span(entry.ttl_ms), None if entry.worst_ms is None else span(entry.worst_ms)
    yield _line("TTL (promise)", ttl if entry.is_new else _was(entry.ttl_before_ms), ttl)
    yield _line("worst case on disk", lives if entry.is_new else _was(entry.worst_before_ms), lives)
    # More partitions take a step; fewer cannot be, and a notice says so.
    more = any(step.kind == "partitions" for step in entry.steps)
    partitions = str(entry.partitions) if entry.is_new or more else _text(entry.partitions_before)
    yield _line("partitions", _text(entry.partitions_before) if more else partitions, partitions)
    if Danger.PARTITIONS in entry.dangers:
        yield "      a key's records go to another partition from then on: their order is not kept across the change"
    if entry.new_consumers:
        yield f"    + consumers: {', '.join(entry.new_consumers)}"
    if entry.gone_consumers:
        yield f"    - consumers: {', '.join(entry.gone_consumers)}"
    for step in entry.steps:
        for name, value in step.settings.items():
            said = _said(name, value)
            yield _line(name, said if entry.is_new else _said(name, step.before.get(name, "")), said)
    if entry.settled_after_ms is not None and is_endless(entry.settled_after_ms):
        yield f"      the time from which it is kept is unknown: {_AHEAD}"
    elif entry.settled_after_ms is not None:
        yield f"      older segments may keep it from being kept for {span(entry.settled_after_ms)} after apply"
    if entry.held is not None:
        for name, value in entry.held.settings.items():
            yield _line(f"later: {name}", _said(name, value), _said(name, value))
        yield f"      held back {_until(entry.held)}; then plan again. {entry.held.why}"


def notice_lines(notice: Notice) -> Iterator[str]:
    """One notice, and the way out."""
    yield f"  {'!' if notice.broken else '-'} {notice.topic}: {notice.message} [{notice.code}]"
    yield f"      {notice.remedy}"


def applied_lines(applied: Applied, *, dry_run: bool = False) -> Iterator[str]:
    """What was done, and since when each new promise is kept."""
    for step in applied.found_made:
        yield f"found made: {step_line(step)}"
    for step in applied.made:
        yield f"{'would be made' if dry_run else 'made'}: {step_line(step)}"
    for loss in applied.accepted:
        yield f"accepted: {loss}"
    for topic, at_ms in sorted(applied.kept_from_ms.items()):
        if at_ms is None:
            yield f"{topic}: the time from which it is kept is unknown: {_AHEAD}"
        else:
            yield f"{topic}: kept from {moment(at_ms)} (older segments are gone by then)"
    for topic, at_ms in sorted(applied.held_until_ms.items()):
        until = "what came late may never be gone" if at_ms is None else f"plan again after {moment(at_ms)}"
        yield f"{topic}: the rest is held back; {until}" + (
            "" if at_ms is None else " (what came late is gone by then)"
        )


def _until(held: HeldBack) -> str:
    if held.until_ms is None:
        return f"{lasting(held.wait_ms)} after apply"
    return "forever" if is_endless(held.until_ms) else f"until {moment(held.until_ms)}"


def step_line(step: Step) -> str:
    """One step in a line."""
    settings = " ".join(f"{name}={value}" for name, value in step.settings.items())
    match step.kind:
        case "create":
            return f"create {step.topic}, {step.partitions} partition(s), {step.replication} replica(s), {settings}"
        case "set":
            return f"set {step.topic} {settings}"
        case "partitions":
            return f"partitions of {step.topic}: {step.before['partitions']} -> {step.partitions}"
        case "record":
            return f"record in {step.topic} that the plan is applied, and which consumers each topic has"


def _line(name: str, before: str | None, after: str | None) -> str:
    was, now = before or "-", after or "-"
    change = now if before == after else f"{was} -> {now}"
    return f"    {name:<{_WIDTH}}{change}"


def _was(span_ms: int | None) -> str | None:
    return None if span_ms is None else span(span_ms)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _said(name: str, value: str) -> str | None:
    if not value:
        return "not set"
    return f"{value} ({span(int(value))})" if name.endswith(".ms") else value
