"""Linkage across epochs: how well a purpose can match its own handles of one epoch with those of another.

A purpose's handles have another key in each epoch, so no handle of one epoch equals one of the next. Fields that stay
as they are (a model, a version, a policy) go into the records of both epochs, and a reader of the purpose can match the
handles by them. The figure bounds that. It needs the contract alone: no event is read.

For each event type of which a view of the purpose has a handle, `joint_count` is the number of different sets of
records that one event can give in all topics of the purpose. All records of a device in an epoch have one handle, so
the counts multiply. The time of arrival is left out: it is another one in each epoch.

Times are counted to the millisecond of arrival, and not to their step (`by_the_clock`), since a clock that is wrong
can stay wrong. A record tells an interval of one step in which its clock's error lies, and arrival tells where that
interval begins: at another place for each record. So intervals of two devices are seldom the same, and those of one
device overlap: more devices are found than a time has steps.

What it bounds: take any devices, of which each sends one event of each of these types in each of two epochs, with the
same fields and with times as far from its arrival as before, at moments that tell nothing of the device. However the
fields depend on each other and on the device, no matcher puts more than 2 to the power of the figure of them together
rightly, on average. Proof: neither the keys of the second epoch nor the moments tell anything of the first. So among
devices of one kind, which would say the same at every moment, every assignment is as likely as another, and the matcher
is right for one of them at most, on average; and there are at most so many kinds (docs/decisions/0121). Accounts are
counted as devices are.

What it does not bound: several events of one type under one handle, how many there are, which types a device sends at
all, at which times of day, a number in ranges that grows with time, and a device that is the only one of its kind,
which is found however few the bits are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2, prod

from pipelines.contract.actions import Truncate
from pipelines.contract.arrival import STEP_MS
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.linkage import has_handle
from pipelines.contract.model import AcceptedAcross, Contract, Linkage, RawSchema, View

EventViews = tuple[str, tuple[RawSchema, ...], Sequence[View]]
"""An event type's name, its raw schemas and its views."""


@dataclass(frozen=True, slots=True)
class EventKinds:
    """An event type of which a device can be one of `count` kinds by the purpose's records, in all its topics."""

    event: str
    count: int

    @property
    def bits(self) -> float:
        """Return log2 of the count."""
        return log2(self.count)


@dataclass(frozen=True, slots=True)
class Across:
    """What the records of a purpose say of one handle in an epoch: of one event of each type, the most telling first.

    `events` are the event types of which a view of the purpose has a handle; there is at least one.
    """

    purpose: str
    events: tuple[EventKinds, ...]

    @property
    def count(self) -> int:
        """Return how many handles a reader can tell apart by what stays the same, at most."""
        return prod(event.count for event in self.events)

    @property
    def bits(self) -> float:
        """Return log2 of the count."""
        return log2(self.count)

    @property
    def whole_bits(self) -> int:
        """Return the bits, rounded up: the least `up_to` that accepts them."""
        return (self.count - 1).bit_length()

    def above(self, limit: int, agreed: AcceptedAcross | None = None) -> bool:
        """Return whether the figure is above a limit in bits and above what was accepted."""
        return self.count > 1 << (limit if agreed is None else max(limit, agreed.up_to))


def across(events: Iterable[EventViews], late_ms: Mapping[str, int]) -> Iterator[Across]:
    """Return for each purpose whose views have handles how well it can match them across epochs, in name order.

    Args:
        events: the event types.
        late_ms: for each topic how old an event may be; an event type with a view for another topic is left out.
    """
    found: dict[str, list[EventKinds]] = {}
    for name, versions, views in events:
        for purpose in sorted({view.purpose for view in views}):
            mine = [view for view in views if view.purpose == purpose]
            if any(has_handle(view) for view in mine) and all(view.topic in late_ms for view in mine):
                count = joint_count(versions, [by_the_clock(view) for view in mine], late_ms)
                found.setdefault(purpose, []).append(EventKinds(name, count))
    for purpose, kinds in sorted(found.items()):
        yield Across(purpose, tuple(sorted(kinds, key=lambda one: (-one.count, one.event))))


def by_the_clock(view: View) -> View:
    """Return a view that tells of each time all that its records tell together if they arrive at all moments.

    A limited time is null at every moment if it is `within` and a step away from arrival or more: of what is nearer,
    some moment tells each millisecond apart.
    """
    rules = []
    for rule in view.rules:
        action = rule.action
        if isinstance(action, Truncate):
            within_ms = None if action.within_ms is None else action.within_ms + action.step_ms - STEP_MS
            action = replace(action, step_ms=STEP_MS, within_ms=within_ms)
        rules.append(replace(rule, action=action))
    return replace(view, rules=tuple(rules))


def across_in(contract: Contract) -> tuple[Across, ...]:
    """Return the figure of each purpose of a contract whose views have handles, in name order."""
    late_ms = {name: topic.late_ms for name, topic in contract.topics.items()}
    return tuple(across(((one.name, one.versions, one.views) for one in contract.events.values()), late_ms))


def accepted_across(linkage: Linkage, purpose: str) -> AcceptedAcross | None:
    """Return what was accepted of a purpose, or None."""
    return next((one for one in linkage.across_epochs if one.purpose == purpose), None)
