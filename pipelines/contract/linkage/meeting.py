"""Meeting: how many bits two actions on one raw leaf can share at most.

Each action cuts the leaf's values into classes. Two classes meet if some value is in both. The largest matching of the
classes that meet is the most that both can share: over every distribution of the values, log2 of it is the most that
one class tells of the other, and a uniform distribution over the matching attains it (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.contract.actions import Action, Handle, Present, Truncate, is_limited
from pipelines.contract.avro import AvroType
from pipelines.contract.bits.saying import REFUSED, probes, saying
from pipelines.contract.bits.values import values
from pipelines.contract.linkage.bipartite import Edge, largest_matching
from pipelines.contract.linkage.times import matched_times


def meet(one: Action, other: Action, types: Iterable[AvroType]) -> int:
    """Return the largest matching of two actions' classes of a leaf of these types (one for each version), null apart.

    Times have too many classes to list: the side with fewer stands for the matching, which cannot be larger. Limited
    times have few: they are matched at one broker time (`times`), null for a value that is there included.
    """
    known = tuple(dict.fromkeys(types))
    if isinstance(one, Present | Handle) or isinstance(other, Present | Handle):
        return 1
    if one == other:
        said = [values(one, avro_type, None) for avro_type in known]
        shared = len(said[0]) if all(each == said[0] for each in said) else len(frozenset().union(*said))
        return shared + is_limited(one)
    if isinstance(one, Truncate) or isinstance(other, Truncate):
        most = min(
            max(len(values(action, avro_type, None)) for avro_type in known) + is_limited(action)
            for action in (one, other)
        )
        if isinstance(one, Truncate) and isinstance(other, Truncate) and (is_limited(one) or is_limited(other)):
            return matched_times(one, other, most)
        return most
    return largest_matching({edge for avro_type in known for edge in edges(one, other, avro_type)})


def edges(one: Action, other: Action, avro_type: AvroType) -> Iterator[Edge]:
    """The pairs of classes that a value of the type can have; what either action refuses has no record to link."""
    left, right = saying(one), saying(other)
    for value in probes(avro_type, (one, other)):
        said = left(value), right(value)
        if REFUSED not in said:
            yield said
