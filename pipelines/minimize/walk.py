"""The walk: steps over the bytes of an event, in the order of the writer's schema.

    step(buf, pos) -> pos        reads exactly one value (or a run of dropped ones), or raises Malformed

A step guards what it reads, whether any view keeps it or not, and writes the forms that its sinks choose into `parts`.
Part of a null or an absent value is never written: it holds null (or false) from the start. Dropped values are
measured, not read. Which step reads what is in `leaves`, `containers` and here, in `Dropped`.

Pure, and plain enough for mypyc: no closures, no generators, no third party.
"""

# ruff: noqa: PLR2004, TRY301 - 127 is seven bits; what a step raises gets its path here

from __future__ import annotations

from typing import Final

from pipelines.minimize.faults import BOOLEAN, ENUM_INDEX, ITEM_LIMIT, TRUNCATED, UNION_INDEX, Fault, Malformed
from pipelines.minimize.sinks import MarkSink, Sink
from pipelines.minimize.wire import INT, LONG, long_span, past_varint, rest_of_varint

NOT_NULLABLE: Final = -1
MOST_ITEMS: Final = 65_536

LENGTH: Final = 0  # string, bytes
NUMBER: Final = 1  # long
SIZE: Final = 2  # fixed, float, double
NUMBER_32: Final = 3  # int
CHOICE: Final = 4  # enum
TRUTH: Final = 5  # boolean


class State:
    """What one walk knows besides its position: `faults` and `identifiers` hold one entry a view.

    `faults` is None until there is a first one. `items` counts the items and entries of all arrays and maps so far,
    those of blocks that are about to be walked included. `broker_ms` is the broker's time of the raw record.
    """

    __slots__ = ("broker_ms", "end", "faults", "identifiers", "items")

    def __init__(self, end: int, views: int, broker_ms: int) -> None:
        self.end = end
        self.items = 0
        self.broker_ms = broker_ms
        self.faults: list[Fault | None] | None = None
        self.identifiers: list[bytes | None] = [None] * views

    def count_items(self, count: int) -> None:
        """Count the items of a block before any of them is walked.

        Raises:
            Malformed: the event has more than `MOST_ITEMS`.
        """
        self.items += count
        if self.items > MOST_ITEMS:
            raise Malformed(ITEM_LIMIT)

    def fail(self, sink: Sink) -> None:
        """A value is out of the bound of this sink's view. The first such fault of a view is told."""
        self.fail_with(sink.view, sink.fault)

    def fail_with(self, view: int, fault: Fault) -> None:
        """A view is at fault for a reason of its own."""
        if self.faults is None:
            self.faults = [None] * len(self.identifiers)
        if self.faults[view] is None:
            self.faults[view] = fault


class Step:
    """Reads one value. `null` is the first byte of a null (0 or 2), `value` that of the other branch."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.null = NOT_NULLABLE
        self.value = NOT_NULLABLE

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read the value at `pos`, write into `parts`, give the position after it."""
        raise NotImplementedError


def walk_steps(steps: list[Step], buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
    """Take the steps in turn; the place where an event turns out to be malformed is named here.

    Raises:
        Malformed: with the path of the innermost step.
    """
    step = steps[0]
    try:
        for step in steps:
            if step.null >= 0:
                branch = buf[pos]
                pos += 1
                if branch == step.null:
                    continue
                if branch != step.value:
                    raise Malformed(UNION_INDEX)
            pos = step.walk(buf, pos, parts, state)
    except IndexError:
        raise Malformed(TRUNCATED, step.path) from None
    except Malformed as malformed:
        if not malformed.path:
            malformed.path = step.path
        raise
    return pos


class Drop:
    """One dropped value of a simple type. `size`: bytes of a SIZE, symbols of a CHOICE."""

    def __init__(self, kind: int, size: int, path: str) -> None:
        self.kind = kind
        self.size = size
        self.path = path
        self.null = NOT_NULLABLE
        self.value = NOT_NULLABLE


class Dropped(Step):
    """A run of dropped values. `least` is the fewest bytes that the run takes; at 0 it always takes 0."""

    def __init__(self, drops: list[Drop], least: int) -> None:
        super().__init__(drops[0].path)
        self.drops = drops
        self.least = least

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:  # noqa: ARG002 - writes nothing
        """Guard and pass the run once."""
        return self.skip(buf, pos, state.end, 1)

    def skip(self, buf: bytes, pos: int, end: int, times: int) -> int:
        """Guard and pass the run as often as told, as in a block of items."""
        if self.least == 0:
            return pos
        drop = self.drops[0]
        try:
            for _ in range(times):
                for drop in self.drops:
                    if drop.null >= 0:
                        first = buf[pos]
                        pos += 1
                        if first == drop.null:
                            continue
                        if first != drop.value:
                            raise Malformed(UNION_INDEX)
                    kind = drop.kind
                    if kind == LENGTH:
                        first = buf[pos]
                        if first & 0x81:
                            _, pos = long_span(buf, pos + 1, first, end)
                        else:
                            pos += 1 + (first >> 1)
                    elif kind == SIZE:
                        pos += drop.size
                    elif kind == NUMBER:
                        pos = past_varint(buf, pos, LONG)
                    else:
                        pos = past_rarer(drop, buf, pos)
                    if pos > end:
                        raise Malformed(TRUNCATED)
        except IndexError:
            raise Malformed(TRUNCATED, drop.path) from None
        except Malformed as malformed:
            malformed.path = drop.path
            raise
        return pos


def past_rarer(drop: Drop, buf: bytes, pos: int) -> int:
    """Guard and pass an int, enum or boolean."""
    kind = drop.kind
    if kind == NUMBER_32:
        return past_varint(buf, pos, INT)
    first = buf[pos]
    pos += 1
    if kind == TRUTH:
        if first > 1:
            raise Malformed(BOOLEAN)
        return pos
    if first > 127:
        first, pos = rest_of_varint(buf, pos, first, INT)
    if first & 1 or first >> 1 >= drop.size:
        raise Malformed(ENUM_INDEX)
    return pos


class Group(Step):
    """A record that may be null, or a value of which a view only says that it is there."""

    def __init__(self, path: str, marks: list[MarkSink], steps: list[Step]) -> None:
        super().__init__(path)
        self.marks = marks
        self.steps = steps

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Mark it as present, and walk what is in it."""
        for mark in self.marks:
            parts[mark.slot] = mark.form
        return walk_steps(self.steps, buf, pos, parts, state)
