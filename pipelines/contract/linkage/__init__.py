"""Linkage: what two views of one event type can both tell of an event, so that their records can be matched.

A view is cut field by field (`meeting`); only the same raw field, or one and what holds it, is compared. The event's
own time is counted once, for as long as both topics keep records: both carry the broker's, floored to their steps, and
`occurred_at` tells no more where clocks are right. Handles are not compared: each purpose has its own keys.

Fields are taken as independent of each other, so this is an upper bound of what is shared in one record. It says
nothing of what a whole history under one handle tells; `pipelines linkage --measure` shows that on simulated data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import lcm, log2, prod

from pipelines.contract.actions import Count, CountWhere, Handle, Present, Truncate
from pipelines.contract.bits.counting import powers
from pipelines.contract.bits.values import coarse_up_to
from pipelines.contract.linkage.meeting import meet, tells
from pipelines.contract.model import Contract, OutputArray, RawSchema, Rule, View
from pipelines.contract.path import Path, Step
from pipelines.contract.reach import Reach, reach


@dataclass(frozen=True, slots=True)
class SharedField:
    """A raw field of which both views tell one of `count` parts."""

    path: str
    count: int

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)


@dataclass(frozen=True, slots=True)
class Shared:
    """What two views of one event type share: the event's time, and the fields, the most telling first."""

    event: str
    one: View
    other: View
    moments: int
    fields: tuple[SharedField, ...]

    @property
    def count(self) -> int:
        """How many kinds of events both can tell apart."""
        return self.moments * prod(field.count for field in self.fields)

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)

    @property
    def time_bits(self) -> float:
        """log2 of the moments that both tell apart."""
        return log2(self.moments)

    @property
    def purposes(self) -> tuple[str, str]:
        """The two purposes, in name order."""
        first, second = sorted((self.one.purpose, self.other.purpose))
        return first, second


def share(versions: tuple[RawSchema, ...], one: View, other: View, ttl_ms: int) -> Shared:
    """What two views of one event type share while both keep it, `ttl_ms` being the shorter of their topics' TTLs."""
    moments = max(-(-ttl_ms // lcm(one.step_ms, other.step_ms)), 1)
    counts: dict[str, int] = {}
    theirs = {rule.path: rule for rule in _rules(other)}
    for left in _rules(one):
        found = reach(versions, left.path)
        if left.path in theirs and isinstance(found, Reach):
            counts[str(left.path)] = meet(left.action, theirs[left.path].action, found, null=found.nullable)
    counts |= {**_held(versions, one, other), **_held(versions, other, one)}
    counts |= _arrays(versions, one, other)
    fields = [SharedField(path, count) for path, count in counts.items() if count > 1]
    return Shared(one.event, one, other, moments, tuple(sorted(fields, key=lambda f: (-f.count, f.path))))


def shared(versions: tuple[RawSchema, ...], views: Sequence[View], ttls: Mapping[str, int]) -> Iterator[Shared]:
    """What every two views of one event type share that serve different purposes; `ttls` are those of the topics."""
    known = [view for view in views if view.topic in ttls]
    for at, one in enumerate(known):
        for other in known[at + 1 :]:
            if other.purpose != one.purpose:
                yield share(versions, one, other, min(ttls[one.topic], ttls[other.topic]))


def shared_in(contract: Contract) -> Iterator[Shared]:
    """What every two views of a contract share, event type by event type."""
    ttls = {name: topic.ttl_ms for name, topic in contract.topics.items()}
    for _, event in sorted(contract.events.items()):
        yield from shared(event.versions, event.views, ttls)


def matrix(everything: Iterable[Shared]) -> dict[tuple[str, str], Shared]:
    """For every two purposes, in name order, the event type of which they share most."""
    most: dict[tuple[str, str], Shared] = {}
    for one in everything:
        most[one.purposes] = max(most.get(one.purposes, one), one, key=lambda shared_: shared_.count)
    return most


def _rules(view: View) -> Iterator[Rule]:
    """The rules that are compared one by one: no handle, no item of an array, not the event's own time."""
    for rule in view.rules:
        in_items = any(step.items for step in rule.path.steps)
        own_time = isinstance(rule.action, Truncate) and str(rule.path) == "occurred_at"
        if not isinstance(rule.action, Handle) and not in_items and not own_time:
            yield rule


def _held(versions: tuple[RawSchema, ...], view: View, other: View) -> dict[str, int]:
    """Where one view says if there is something at all, and the other what is in it: both can tell if it is null."""
    used = {rule.path.steps[:length] for rule in _rules(other) for length in range(1, len(rule.path.steps))}
    shared_: dict[str, int] = {}
    for rule in _rules(view):
        if isinstance(rule.action, Present) and rule.path.steps in used:
            found = reach(versions, rule.path)
            if isinstance(found, Reach) and found.nullable:
                shared_[str(rule.path)] = 2
    return shared_


def _arrays(versions: tuple[RawSchema, ...], one: View, other: View) -> dict[str, int]:
    """What is shared of arrays from whose items one view or both keep something."""
    shared: dict[str, int] = {}
    for view, against in ((one, other), (other, one)):
        for array in view.output:
            if isinstance(array, OutputArray):
                count = _with_items(versions, array, against) or _with_count(versions, array, against)
                if count is not None:
                    path = str(_bare_path(array))
                    shared[path] = max(shared.get(path, 1), count + array.nullable)
    return shared


def _bare_path(array: OutputArray) -> Path:
    *before, last = array.source.steps
    return Path((*before, Step(last.field)))


def _with_items(versions: tuple[RawSchema, ...], array: OutputArray, other: View) -> int | None:
    same = next((o for o in other.output if isinstance(o, OutputArray) and o.source == array.source), None)
    if same is None:
        return None
    theirs = {field.rule.path: field for field in same.fields}
    there = reach(versions, _bare_path(array))
    most = len(there.found) if isinstance(there, Reach) else 0
    each = 1
    for field in array.fields:
        found = reach(versions, field.rule.path)
        if field.rule.path in theirs and isinstance(found, Reach):
            null = any(reached.inner for reached in found.found) or len(found.found) < most
            each *= meet(field.rule.action, theirs[field.rule.path].rule.action, found, null=null)
    return powers(each, 0, array.max_items)


def _with_count(versions: tuple[RawSchema, ...], array: OutputArray, other: View) -> int | None:
    rule = next((rule for rule in other.rules if rule.path == _bare_path(array)), None)
    match rule.action if rule is not None else None:
        case Count():
            return len(coarse_up_to(array.max_items))
        case CountWhere() as where:
            compared = Path((*array.source.steps, Step(where.field)))
            kept = next((field.rule for field in array.fields if field.rule.path == compared), None)
            found = reach(versions, compared)
            types = [one.type for one in found.found] if isinstance(found, Reach) else []
            return len(coarse_up_to(array.max_items)) if kept is not None and tells(kept.action, where, types) else 1
        case Present():
            return 1
        case _:
            return None
