"""From a raw schema and the uses that views make of it to the steps of the walk. Runs once a writer version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipelines.contract.actions import Count, CountWhere, Present
from pipelines.contract.avro import Array, AvroType, Enum, Fixed, Map, Nullable, Primitive, Record
from pipelines.contract.model import OutputArray
from pipelines.contract.path import Path
from pipelines.minimize.actions import Use, counts, leaf_step, mark
from pipelines.minimize.containers import Blocks, Entries, ItemBlocks
from pipelines.minimize.faults import TOO_MANY_ITEMS, Fault
from pipelines.minimize.sinks import CountSink, ItemsSink
from pipelines.minimize.walk import CHOICE, LENGTH, NUMBER, NUMBER_32, SIZE, TRUTH, Drop, Dropped, Group, Step

DEEPEST: Final = 64
_KINDS: Final = {
    "string": (LENGTH, 0), "bytes": (LENGTH, 0), "long": (NUMBER, 0), "int": (NUMBER_32, 0), "boolean": (TRUTH, 0),
    "float": (SIZE, 4), "double": (SIZE, 8),
}  # fmt: skip

# One hop: the name of a record's field; ITEMS into an array; or a map's key, in a tuple of its own.
Hop = str | tuple[str]
ITEMS: Final = "[]"


@dataclass(frozen=True, slots=True)
class Want:
    """What a view wants of the value `hops` below the present one; an array of records wants its raw array."""

    hops: tuple[Hop, ...]
    use: Use
    array: OutputArray | None = None


def hops_of(path: Path) -> tuple[Hop, ...]:
    """A path, one hop for each container that it goes into."""
    hops: list[Hop] = []
    for step in path.steps:
        hops.append(step.field)
        if step.items:
            hops.append(ITEMS)
        elif step.key is not None:
            hops.append((step.key,))
    return tuple(hops)


def least(avro_type: AvroType) -> int:
    """The fewest bytes that a value takes."""
    match avro_type:
        case Record(fields=fields):
            return sum(least(field.type) for field in fields)
        case Fixed(size=size):
            return size
        case Primitive(name="float" | "double" as name):
            return _KINDS[name][1]
        case _:
            return 1


def steps_of(
    avro_type: AvroType, wants: Sequence[Want], path: str, *, most: int = -1, sure: bool = True, depth: int = 1
) -> list[Step]:
    """The steps that read one value.

    Args:
        avro_type: the writer's type.
        wants: what views want of the value and of what is in it.
        path: its path as the schema spells it.
        most: how many items it may have where a view uses it, if it is an array or map (-1: any number).
        sure: whether every event has this value; where not, only nullable outputs (and `present`) may want it.
        depth: how many containers it is in.

    Raises:
        ValueError: the wants do not fit the type; a valid contract never has such.
    """
    if depth > DEEPEST:
        raise ValueError(f"{path}: nested deeper than {DEEPEST}")
    if isinstance(avro_type, Nullable):
        inner = steps_of(avro_type.inner, wants, path, most=most, sure=False, depth=depth + 1)
        return [_nullable(inner, path, avro_type.null_index)]
    here = [want for want in wants if not want.hops]
    if not sure:
        _need_nullable(here, path)
    marks = [mark(want.use, path) for want in here if isinstance(want.use.action, Present)]
    uses = [want for want in here if not isinstance(want.use.action, Present)]
    below = [want for want in wants if want.hops]
    match avro_type:
        case Record():
            steps = _record(avro_type, uses, below, path, sure=sure, depth=depth)
        case Array():
            steps = [_array(avro_type, uses, below, path, most=most, depth=depth)]
        case Map():
            steps = [_map(avro_type, uses, below, path, most=most, depth=depth)]
        case _ if below:
            raise ValueError(f"{path}: a path goes into a leaf")
        case _ if uses:
            steps = [leaf_step(avro_type, [want.use for want in uses], path)]
        case _:
            steps = [_dropped(avro_type, path)]
    return [Group(path, marks, steps)] if marks else steps


def _dropped(avro_type: AvroType, path: str) -> Dropped:
    match avro_type:
        case Enum(symbols=symbols):
            drop = Drop(CHOICE, len(symbols), path)
        case Fixed(size=size):
            drop = Drop(SIZE, size, path)
        case Primitive(name=name):
            drop = Drop(*_KINDS[name], path)
        case _:
            drop = Drop(SIZE, 0, path)
    return Dropped([drop], least(avro_type))


def _need_nullable(wants: Sequence[Want], path: str) -> None:
    for want in wants:
        if not isinstance(want.use.type, Nullable) and not isinstance(want.use.action, Present):
            raise ValueError(f"{path}: may be absent, but the derived schema has no null for it")  # noqa: TRY004


def _nullable(inner: list[Step], path: str, null_index: int) -> Step:
    null, value = null_index * 2, 2 - null_index * 2
    step = inner[0] if len(inner) == 1 and inner[0].null < 0 else Group(path, [], inner)
    if isinstance(step, Dropped):
        if len(step.drops) == 1 and step.drops[0].null < 0 and step.least:
            step.drops[0].null, step.drops[0].value, step.least = null, value, 1
            return step
        step = Group(path, [], inner)
    step.null, step.value = null, value
    return step


def _record(
    record: Record, uses: Sequence[Want], below: Sequence[Want], path: str, *, sure: bool, depth: int
) -> list[Step]:
    if uses:
        raise ValueError(f"{path}: a record takes no action but present")
    steps: list[Step] = []
    names = {field.name for field in record.fields}
    _need_nullable([want for want in below if want.hops[0] not in names], path)
    for field in record.fields:
        wants = [replace(want, hops=want.hops[1:]) for want in below if want.hops[0] == field.name]
        most = -1 if field.max_items is None else field.max_items
        inner = f"{path}.{field.name}" if path else field.name
        steps += steps_of(field.type, wants, inner, most=most, sure=sure, depth=depth + 1)
    return _joined(steps or [_dropped(record, path)])


def _joined(steps: Sequence[Step]) -> list[Step]:
    """The steps, with neighbouring runs of dropped values made one."""
    joined: list[Step] = []
    for step in steps:
        last = joined[-1] if joined else None
        if isinstance(step, Dropped) and isinstance(last, Dropped) and step.null < 0 and last.null < 0:
            drops = [drop for drop in (*last.drops, *step.drops) if drop.kind != SIZE or drop.size or drop.null >= 0]
            joined[-1] = Dropped(drops or step.drops, last.least + step.least)
        else:
            joined.append(step)
    return joined


def _counts(uses: Sequence[Want], path: str, most: int) -> list[CountSink]:
    sinks = []
    for want in uses:
        use = want.use
        if not isinstance(use.action, Count):
            raise ValueError(f"{path}: an array or map does not take {type(use.action).__name__}")  # noqa: TRY004
        sinks.append(CountSink(use.view, use.slot, Fault(TOO_MANY_ITEMS, path), counts(use.branch), most))
    return sinks


def _array(array: Array, uses: Sequence[Want], below: Sequence[Want], path: str, *, most: int, depth: int) -> Step:
    outputs, wants, blank = _items([want for want in uses if _into_items(want)], path, most)
    sinks = _counts([want for want in uses if not _into_items(want)], path, most)
    if below:
        raise ValueError(f"{path}: only an array of records goes into an array")
    size = least(array.items)
    steps = steps_of(array.items, wants, f"{path}[]", depth=depth + 1)
    if not outputs:
        return Blocks(path, sinks, steps, size)
    if not size:
        raise ValueError(f"{path}: items that take no bytes can only be counted")
    return ItemBlocks(path, sinks, outputs, steps, blank, size)


def _into_items(want: Want) -> bool:
    return want.array is not None or isinstance(want.use.action, CountWhere)


def _items(uses: Sequence[Want], path: str, most: int) -> tuple[list[ItemsSink], list[Want], list[bytes]]:
    """The sinks of what looks into items, what they want of one item, and the parts of an item that is all null."""
    outputs: list[ItemsSink] = []
    wants: list[Want] = []
    blank: list[bytes] = []
    for want in uses:
        use, action = want.use, want.use.action
        limit = most if want.array is None else want.array.max_items
        if limit < 0:
            raise ValueError(f"{path}: has no max_items, but a view looks into its items")
        sink = ItemsSink(use.view, use.slot, Fault(TOO_MANY_ITEMS, path), limit)
        sink.branch, sink.low = use.branch, len(blank)
        if want.array is not None:
            depth = len(hops_of(want.array.source))
            for field in want.array.fields:
                item = Use(use.view, len(blank), field.rule.action, field.type)
                wants.append(Want(hops_of(field.rule.path)[depth:], item))
                blank.append(item.blank)
        elif isinstance(action, CountWhere):
            sink.counted = counts(use.branch)
            wants.append(Want((action.field,), Use(use.view, len(blank), action, Nullable(Primitive("boolean")))))
            blank.append(b"")
        sink.high = len(blank)
        outputs.append(sink)
    return outputs, wants, blank


def _map(avro_map: Map, uses: Sequence[Want], below: Sequence[Want], path: str, *, most: int, depth: int) -> Step:
    sinks = _counts(uses, path, most)
    inner = f"{path}{{}}"
    others = steps_of(avro_map.values, [], inner, depth=depth + 1)
    size = 1 + least(avro_map.values)
    keys = sorted({want.hops[0][0] for want in below})
    if not keys:
        return Blocks(path, sinks, _joined([Dropped([Drop(LENGTH, 0, inner)], 1), *others]), size)
    chosen = [
        steps_of(
            avro_map.values, [replace(want, hops=want.hops[1:]) for want in below if want.hops[0] == (key,)],
            inner, sure=False, depth=depth + 1,
        )
        for key in keys
    ]  # fmt: skip
    return Entries(path, sinks, {key.encode(): at for at, key in enumerate(keys)}, chosen, others, size)
