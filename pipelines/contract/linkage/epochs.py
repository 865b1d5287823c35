"""Linkage across epochs: how well a purpose can match its own handles of one epoch with those of another.

A purpose's handles have another key in each epoch, so no handle of one epoch equals one of the next. Fields that stay
as they are (a model, a version, a policy) go into the records of both epochs, and a reader of the purpose can match the
handles by them. The figure bounds that. It needs the contract alone: no event is read.

For each event type of which a view of the purpose has a handle, `joint_count` is the number of different sets of
records that one event can give in all topics of the purpose. All records of a device in an epoch have one handle, so
the counts multiply. The time of arrival is left out: it is another one in each epoch. `occurred_at` is counted, since
a clock that is wrong can stay wrong.

What it bounds: take any devices, of which each sends one event of each of these types in each of two epochs. However
the fields depend on each other and on the device, no matcher puts more than 2 to the power of the figure of them
together rightly, on average. Proof: the keys of the second epoch tell nothing of the first, so among devices whose
records say the same in the first epoch every assignment is as likely as another, and the matcher is right for one of
them at most, on average; and there are at most so many different things to say (docs/decisions/0110). Accounts are
counted as devices are.

What it does not bound: several events of one type under one handle, how many there are, which types a device sends at
all, at which times of day, and a device that is the only one of its kind, which is found however few the bits are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod

from pipelines.contract.bits.joint import joint_count
from pipelines.contract.linkage import has_handle
from pipelines.contract.model import AcceptedAcross, Contract, Linkage, RawSchema, View

EventViews = tuple[str, tuple[RawSchema, ...], Sequence[View]]
"""An event type's name, its raw schemas and its views."""


@dataclass(frozen=True, slots=True)
class EventKinds:
    """An event type of which the purpose's records can say one of `count` things, in all its topics together."""

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
                found.setdefault(purpose, []).append(EventKinds(name, joint_count(versions, mine, late_ms)))
    for purpose, kinds in sorted(found.items()):
        yield Across(purpose, tuple(sorted(kinds, key=lambda one: (-one.count, one.event))))


def across_in(contract: Contract) -> tuple[Across, ...]:
    """Return the figure of each purpose of a contract whose views have handles, in name order."""
    late_ms = {name: topic.late_ms for name, topic in contract.topics.items()}
    return tuple(across(((one.name, one.versions, one.views) for one in contract.events.values()), late_ms))


def accepted_across(linkage: Linkage, purpose: str) -> AcceptedAcross | None:
    """Return what was accepted of a purpose, or None."""
    return next((one for one in linkage.across_epochs if one.purpose == purpose), None)
