"""Steps that read arrays and maps: blocks of items, each guarded before it is entered.

Written back, an array is one block with a positive count, however the producer cut it (Avro 1.12, "Arrays").
"""

from __future__ import annotations

from typing import Final

from pipelines.minimize.faults import BLOCK_SIZE, DUPLICATE_KEY, Malformed
from pipelines.minimize.sinks import CountSink, ItemsSink
from pipelines.minimize.walk import Dropped, State, Step, walk_steps
from pipelines.minimize.wire import long_form, open_block, span

MOST_COUNTED: Final = 64


def write_counts(sinks: list[CountSink], count: int, parts: list[bytes], state: State) -> None:
    """Write a count to every sink that wants it."""
    for sink in sinks:
        if count > sink.most >= 0:
            state.fail(sink)
        else:
            parts[sink.slot] = sink.forms[min(count, MOST_COUNTED)]


class Blocks(Step):
    """An array or map whose items are dropped; at most their number is kept. `least`: the fewest bytes of an item."""

    def __init__(self, path: str, counts: list[CountSink], steps: list[Step], least: int) -> None:
        super().__init__(path)
        self.counts = counts
        self.steps = steps
        self.least = least
        only = steps[0]
        self.run = only if isinstance(only, Dropped) and len(steps) == 1 else None

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Guard and pass every item."""
        end, run = state.end, self.run
        total = 0
        while True:
            count, pos, stop = open_block(buf, pos, end, self.least)
            if count == 0:
                break
            state.count_items(count)
            total += count
            if run is not None:
                pos = run.skip(buf, pos, end, count)
            elif self.least:
                for _ in range(count):
                    pos = walk_steps(self.steps, buf, pos, parts, state)
            if pos != stop >= 0:
                raise Malformed(BLOCK_SIZE)
        if self.counts:
            write_counts(self.counts, total, parts, state)
        return pos


class ItemBlocks(Step):
    """An array from whose items views keep something. An item takes at least one byte.

    `blank` is the output of an item of which nothing is known yet: the parts of all `outputs`, one after the other.
    """

    def __init__(
        self, path: str, counts: list[CountSink], outputs: list[ItemsSink], steps: list[Step], blank: list[bytes],
        least: int,
    ) -> None:  # fmt: skip
        super().__init__(path)
        self.counts = counts
        self.outputs = outputs
        self.steps = steps
        self.blank = blank
        self.least = least
        self.most = max([output.most for output in outputs])

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Walk every item; hold no more of them than the views may."""
        held: list[list[bytes]] = [[] for _ in self.outputs]
        total = 0
        while True:
            count, pos, stop = open_block(buf, pos, state.end, self.least)
            if count == 0:
                break
            state.count_items(count)
            for _ in range(count):
                item = self.blank[:]
                pos = walk_steps(self.steps, buf, pos, item, state)
                if total < self.most:
                    for output, forms in zip(self.outputs, held, strict=True):
                        forms.append(b"".join(item[output.low : output.high]))
                total += 1
            if pos != stop >= 0:
                raise Malformed(BLOCK_SIZE)
        for output, forms in zip(self.outputs, held, strict=True):
            write_items(output, forms, total, parts, state)
        if self.counts:
            write_counts(self.counts, total, parts, state)
        return pos


def write_items(output: ItemsSink, forms: list[bytes], total: int, parts: list[bytes], state: State) -> None:
    """Write one view's array, or how many of its items count."""
    if total > output.most:
        state.fail(output)
    elif output.counted:
        parts[output.slot] = output.counted[min(sum([len(form) for form in forms]), MOST_COUNTED)]
    elif total:
        parts[output.slot] = b"".join([output.branch, long_form(total), *forms, b"\x00"])
    else:
        parts[output.slot] = output.branch + b"\x00"


class Entries(Step):
    """A map of which views keep the entries of some keys: `keys` (lower case) says which of `chosen` walks the value.

    A key is compared as HTTP compares field names, without regard to ASCII case. It is never written, and a key longer
    than any that is looked for is not looked at.
    """

    def __init__(
        self, path: str, counts: list[CountSink], keys: dict[bytes, int], chosen: list[list[Step]], others: list[Step],
        least: int,
    ) -> None:  # fmt: skip
        super().__init__(path)
        self.counts = counts
        self.keys = keys
        self.chosen = chosen
        self.others = others
        self.least = least
        self.longest = max([len(key) for key in keys])

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Walk every entry; a key that is looked for may be there once."""
        total = 0
        seen: set[int] = set()
        while True:
            count, pos, stop = open_block(buf, pos, state.end, self.least)
            if count == 0:
                break
            state.count_items(count)
            total += count
            for _ in range(count):
                start, pos = span(buf, pos, state.end)
                steps = self.others
                if pos - start <= self.longest:
                    at = self.keys.get(buf[start:pos].lower(), -1)
                    if at >= 0:
                        if at in seen:
                            raise Malformed(DUPLICATE_KEY)
                        seen.add(at)
                        steps = self.chosen[at]
                pos = walk_steps(steps, buf, pos, parts, state)
            if pos != stop >= 0:
                raise Malformed(BLOCK_SIZE)
        if self.counts:
            write_counts(self.counts, total, parts, state)
        return pos
