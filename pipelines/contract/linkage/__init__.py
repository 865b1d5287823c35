"""Linkage: what two purposes can both tell of one event, so that their records can be matched.

Purposes are compared, by all views that they have of an event type: one `ce_id` joins all records that a purpose has
of an event, in whichever topics they are.

Two numbers, and one is not enough. `count` holds if the raw fields are independent of each other: what is shared of
each field (`meeting`, `sharing`) multiplies, and so do the times. `ceiling` holds whatever producers send: how many
different sets of records the purpose that says less can have of an event, its times included. Dependent fields can
share that much although each on its own shares nothing.

Every view is relayed live, so a record's place in its topic tells when it came, to 1 ms, however coarse its own time
(`arrival`). `occurred_at` counts beside that: a clock that is wrong is told by both. Two purposes with live views with
handles share the event itself: topics of both hold one device's records in the order of the raw topic, and the orders
join them.

This is about single records. A record of a kind that is rare, and a history under one handle, are matched better;
`pipelines linkage --measure` shows that on simulated data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import log2

from pipelines.contract.actions import Handle
from pipelines.contract.arrival import moments
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.bits.places import Place, Want, wants
from pipelines.contract.linkage.sharing import Sharing
from pipelines.contract.model import AcceptedLinkage, Contract, RawSchema, View

Views = tuple[View, ...]


@dataclass(frozen=True, slots=True)
class SharedField:
    """A raw field of which both purposes tell one of `count` kinds."""

    path: str
    count: int

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)


@dataclass(frozen=True, slots=True)
class Shared:
    """What two purposes, in name order, share of one event type: fields, the most telling first, and arrival's moments.

    `views` are all views that each has of it. `kinds` is what all fields make together. `ceiling` is how many sets of
    records the purpose that says less can have of an event.
    """

    event: str
    purposes: tuple[str, str]
    views: tuple[Views, Views]
    moments: int
    fields: tuple[SharedField, ...]
    kinds: int
    ceiling: int

    @property
    def count(self) -> int:
        """How many kinds of events both can tell apart, if raw fields are independent of each other."""
        return min(self.moments * self.kinds, self.ceiling)

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)

    @property
    def ceiling_bits(self) -> float:
        """log2 of the ceiling: the most that can be shared if fields depend on each other."""
        return log2(self.ceiling)

    @property
    def time_bits(self) -> float:
        """log2 of the moments that both tell apart."""
        return log2(self.moments)

    @property
    def by_order(self) -> bool:
        """Whether both share the event itself: both have live views with handles, so the topics' order joins them."""
        return all(any(map(has_handle, views)) for views in self.views)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of all these views."""
        return tuple(view.topic for views in self.views for view in views)

    def above(self, limit: int, agreed: AcceptedLinkage | None = None) -> bool:
        """Whether more is shared than a limit in bits, or than was accepted: by order, in bits, or at the ceiling."""
        if agreed is None:
            return self.by_order or self.ceiling > 1 << limit
        if agreed.up_to is None:
            return False
        ceiling = max(limit, agreed.up_to, agreed.ceiling)
        return self.by_order or self.count > 1 << agreed.up_to or self.ceiling > 1 << ceiling

    @property
    def rank(self) -> tuple[bool, int]:
        """What sorts pairs by what they share."""
        return self.by_order, self.count


def has_handle(view: View) -> bool:
    """Whether a view's records carry a handle."""
    return any(isinstance(rule.action, Handle) for rule in view.rules)


@dataclass(frozen=True, slots=True)
class Side:
    """One purpose's views of an event type, in order of their topics, of which there is one at least.

    `ttl_ms` is the longest of their topics, `lateness` how many of these take events up to another age, and `count`
    how many sets of records they can make of an event.
    """

    purpose: str
    views: Views
    ttl_ms: int
    lateness: int
    count: int

    @classmethod
    def of(
        cls, versions: tuple[RawSchema, ...], views: Views, ttls: Mapping[str, int], late_ms: Mapping[str, int]
    ) -> Side:
        """Return the side that these views are, all of one purpose; both mappings have each of their topics."""
        longest = max(ttls[view.topic] for view in views)
        lateness = len({late_ms[view.topic] for view in views})
        return cls(views[0].purpose, views, longest, lateness, joint_count(versions, views, late_ms))

    @property
    def wants(self) -> tuple[Want, ...]:
        """All rules, each with the number of its view."""
        return tuple(want for number, view in enumerate(self.views) for want in wants(view.rules, view=number))


def share(versions: tuple[RawSchema, ...], one: Side, other: Side) -> Shared:
    """Return what two purposes share of one event type."""
    sides = sorted((one, other), key=lambda side: side.purpose)
    sharing = Sharing((len(sides[0].views), len(sides[1].views)))
    places = [Place(version.record) for version in versions]
    kinds = sharing.count(places, sides[0].wants, sides[1].wants) * min(side.lateness for side in sides)
    fields = [SharedField(path, count) for path, count in sharing.fields.items() if count > 1]
    return Shared(
        sides[0].views[0].event,
        (sides[0].purpose, sides[1].purpose),
        (sides[0].views, sides[1].views),
        moments(min(side.ttl_ms for side in sides)),
        tuple(sorted(fields, key=lambda field: (-field.count, field.path))),
        kinds,
        min(side.count * moments(side.ttl_ms) for side in sides),
    )


def shared(
    versions: tuple[RawSchema, ...], views: Iterable[View], ttls: Mapping[str, int], late_ms: Mapping[str, int]
) -> Iterator[Shared]:
    """Return what every two purposes share that have views of one event type, in name order.

    `ttls` and `late_ms` are those of the topics; views for other topics are left out.
    """
    known: dict[str, list[View]] = {}
    for view in sorted(views, key=lambda view: view.topic):
        if view.topic in ttls:
            known.setdefault(view.purpose, []).append(view)
    sides = [Side.of(versions, tuple(mine), ttls, late_ms) for _, mine in sorted(known.items())]
    for one, other in combinations(sides, 2):
        yield share(versions, one, other)


def shared_in(contract: Contract) -> Iterator[Shared]:
    """What every two purposes of a contract share, event type by event type."""
    ttls = {name: topic.ttl_ms for name, topic in contract.topics.items()}
    late_ms = {name: topic.late_ms for name, topic in contract.topics.items()}
    for _, event in sorted(contract.events.items()):
        yield from shared(event.versions, event.views, ttls, late_ms)


def matrix(everything: Iterable[Shared]) -> dict[tuple[str, str], Shared]:
    """For every two purposes, in name order, the event type of which they share most."""
    most: dict[tuple[str, str], Shared] = {}
    for one in everything:
        most[one.purposes] = max(most.get(one.purposes, one), one, key=lambda shared_: shared_.rank)
    return most
