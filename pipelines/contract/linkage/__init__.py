"""Linkage: what two views of one event type can both tell of an event, so that their records can be matched.

Two numbers, and one is not enough. `count` holds if the raw fields are independent of each other: what is shared of
each field (`meeting`, `sharing`) multiplies, and so does the time. `ceiling` holds whatever producers send: how many
different records the view that says less can have, its times included. Dependent fields can share that much although
each on its own shares nothing.

Every view is relayed live, so a record's place in its topic tells when it came, to 1 ms, however coarse its own time
(`arrival`). `occurred_at` counts beside that: a clock that is wrong is told by both. Two live views with handles share
the event itself: both topics hold one device's records in the order of the raw topic, and the orders join them.

This is about single records. A record of a kind that is rare, and a history under one handle, are matched better;
`pipelines linkage --measure` shows that on simulated data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2

from pipelines.contract.actions import Handle
from pipelines.contract.arrival import moments
from pipelines.contract.bits.counting import bodies
from pipelines.contract.bits.places import Place, wants
from pipelines.contract.linkage.sharing import Sharing
from pipelines.contract.model import AcceptedLinkage, Contract, RawSchema, View


@dataclass(frozen=True, slots=True)
class SharedField:
    """A raw field of which both views tell one of `count` kinds."""

    path: str
    count: int

    @property
    def bits(self) -> float:
        """log2 of the count."""
        return log2(self.count)


@dataclass(frozen=True, slots=True)
class Shared:
    """What two views of one event type share: their fields, the most telling first, and the moments of arrival.

    `kinds` is what all fields make together. `ceiling` is how many records the view that says less can have.
    """

    event: str
    one: View
    other: View
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
        """Whether both share the event itself: both are relayed live and have handles, so their order joins them."""
        return has_handle(self.one) and has_handle(self.other)

    @property
    def purposes(self) -> tuple[str, str]:
        """The two purposes, in name order."""
        first, second = sorted((self.one.purpose, self.other.purpose))
        return first, second

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


def share(versions: tuple[RawSchema, ...], one: View, other: View, ttls: tuple[int, int]) -> Shared:
    """Return what two views of one event type share; `ttls` are those of their topics, in milliseconds."""
    said = bodies(versions, one.rules), bodies(versions, other.rules)
    return _share(versions, (one, other), ttls, said)


def _share(
    versions: tuple[RawSchema, ...], views: tuple[View, View], ttls: tuple[int, int], said: tuple[int, int]
) -> Shared:
    sharing = Sharing()
    places = [Place(version.record) for version in versions]
    kinds = sharing.count(places, wants(views[0].rules), wants(views[1].rules))
    fields = [SharedField(path, count) for path, count in sharing.fields.items() if count > 1]
    ceiling = min(max(count, 1) * moments(ttl) for count, ttl in zip(said, ttls, strict=True))
    ordered = tuple(sorted(fields, key=lambda field: (-field.count, field.path)))
    return Shared(views[0].event, *views, moments(min(ttls)), ordered, kinds, ceiling)


def shared(versions: tuple[RawSchema, ...], views: Sequence[View], ttls: Mapping[str, int]) -> Iterator[Shared]:
    """What every two views of one event type share that serve different purposes; `ttls` are those of the topics."""
    known = [(view, bodies(versions, view.rules)) for view in views if view.topic in ttls]
    for at, (one, said) in enumerate(known):
        for other, said_there in known[at + 1 :]:
            if other.purpose != one.purpose:
                yield _share(versions, (one, other), (ttls[one.topic], ttls[other.topic]), (said, said_there))


def shared_in(contract: Contract) -> Iterator[Shared]:
    """What every two views of a contract share, event type by event type."""
    ttls = {name: topic.ttl_ms for name, topic in contract.topics.items()}
    for _, event in sorted(contract.events.items()):
        yield from shared(event.versions, event.views, ttls)


def matrix(everything: Iterable[Shared]) -> dict[tuple[str, str], Shared]:
    """For every two purposes, in name order, the event type of which they share most."""
    most: dict[tuple[str, str], Shared] = {}
    for one in everything:
        most[one.purposes] = max(most.get(one.purposes, one), one, key=lambda shared_: shared_.rank)
    return most
