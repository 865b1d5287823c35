"""Meeting: how finely two actions on one raw field agree.

Each action cuts the field's values into classes that it says alike. What both can compute, whatever the value, is the
finest cut that is coarser than both: values are in one part if a chain leads from one to the other, each link in one
class of either. `meet` counts its parts. Both holders know the part, so it links their records.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from math import lcm

from pipelines.contract.actions import Action, Count, CountWhere, Present, Truncate
from pipelines.contract.avro import Array, AvroType, Map, Record
from pipelines.contract.bits.values import COARSE, can_match, values
from pipelines.contract.linkage.saying import REFUSED, probes, saying
from pipelines.contract.reach import Reach

_Pair = tuple[Hashable, Hashable]


def meet(one: Action, other: Action, found: Reach, *, null: bool) -> int:
    """How many parts the finest cut has that both actions can compute of the place; `null`: nothing may be there."""
    pairs: set[_Pair] = set()
    times = 0
    for reached in found.found:
        if isinstance(one, Truncate) and isinstance(other, Truncate):
            common = Truncate(lcm(one.step_ms, other.step_ms))
            times = max(times, len(values(common, reached.type, None)))
        else:
            pairs.update(_pairs(one, other, reached.type, reached.field.max_items))
    if null:
        if times:
            return times + 1
        pairs.add((_blank(one), _blank(other)))
    return times or parts(pairs)


def parts(pairs: Iterable[_Pair]) -> int:
    """How many parts the classes fall into that occur together."""
    parent: dict[Hashable, Hashable] = {}

    def top(node: Hashable) -> Hashable:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for left, right in pairs:
        parent[top(("one", left))] = top(("other", right))
    return len({top(node) for node in list(parent)})


def tells(action: Action, where: CountWhere, types: Sequence[AvroType]) -> bool:
    """Whether what an action says of an item's field tells if `where` counts the item."""
    pairs = {pair for avro_type in types for pair in _leaf_pairs(action, where, avro_type)}
    return parts(pairs) > 1


def _pairs(one: Action, other: Action, avro_type: AvroType, most: int | None) -> Iterator[_Pair]:
    if isinstance(avro_type, Array | Map | Record):
        yield from _container_pairs(one, other, avro_type, most)
    elif Truncate in (type(one), type(other)):
        yield "any time", "any time"  # and `present`: there is one
    else:
        yield from _leaf_pairs(one, other, avro_type)


def _leaf_pairs(one: Action, other: Action, avro_type: AvroType) -> Iterator[_Pair]:
    left, right = saying(one), saying(other)
    for value in probes(avro_type, (one, other)):
        said = left(value), right(value)
        if REFUSED not in said:
            yield said


def _container_pairs(one: Action, other: Action, avro_type: AvroType, most: int | None) -> Iterator[_Pair]:
    lengths = range(min(COARSE[-1] if most is None else most, COARSE[-1]) + 1)
    for length in lengths:
        if one == other and isinstance(one, CountWhere):
            yield from ((said, said) for said in _said_of(one, avro_type, length))
        else:
            for left in _said_of(one, avro_type, length):
                yield from ((left, right) for right in _said_of(other, avro_type, length))


def _said_of(action: Action, avro_type: AvroType, length: int) -> set[Hashable]:
    """All that an action can say of a container of so many items."""
    match action:
        case Count():
            return {_floored(length)}
        case CountWhere():
            return {_floored(count) for count in range(length + 1 if can_match(action, avro_type) else 1)}
        case _:
            return {True}


def _floored(count: int) -> int:
    return max(step for step in COARSE if step <= count)


def _blank(action: Action) -> Hashable:
    return "absent" if isinstance(action, Present) else None
