"""Steps that read one value of a simple type which some view keeps something of."""

# ruff: noqa: PLR2004 - 127 is seven bits

from __future__ import annotations

from bisect import bisect_right
from struct import Struct
from typing import Final

from pipelines.contract.readings import double_seconds
from pipelines.minimize.faults import BOOLEAN, ENUM_INDEX, TRUNCATED, UTF8, Malformed
from pipelines.minimize.sinks import BUCKET, LIMITED, TRUNCATE, IdentifierSink, NumberSink, TableSink, TextSink
from pipelines.minimize.walk import State, Step
from pipelines.minimize.wire import INT, is_utf8, rest_of_varint, span

IDENTIFIER_LIMIT: Final = 256
BY_LENGTH: Final = -1

_FLOAT: Final = Struct("<f")
_DOUBLE: Final = Struct("<d")


class Truth(Step):
    """A boolean."""

    def __init__(self, path: str, sinks: list[TableSink]) -> None:
        super().__init__(path)
        self.sinks = sinks

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read one byte, 0 or 1."""
        value = buf[pos]
        if value > 1:
            raise Malformed(BOOLEAN)
        for sink in self.sinks:
            form = sink.forms[value]
            if form is None:
                state.fail(sink)
            else:
                parts[sink.slot] = form
        return pos + 1


class Choice(Step):
    """An enum of `symbols` symbols."""

    def __init__(self, path: str, sinks: list[TableSink], symbols: int) -> None:
        super().__init__(path)
        self.sinks = sinks
        self.symbols = symbols

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read an index that the enum has."""
        value = buf[pos]
        pos += 1
        if value > 127:
            value, pos = rest_of_varint(buf, pos, value, INT)
        index = value >> 1
        if value & 1 or index >= self.symbols:
            raise Malformed(ENUM_INDEX)
        for sink in self.sinks:
            form = sink.forms[index]
            if form is None:
                state.fail(sink)
            else:
                parts[sink.slot] = form
        return pos


class Number(Step):
    """An int (`bits` 32) or a long (64)."""

    def __init__(self, path: str, sinks: list[NumberSink], bits: int) -> None:
        super().__init__(path)
        self.sinks = sinks
        self.bits = bits

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read a zigzag varint."""
        value = buf[pos]
        pos += 1
        if value > 127:
            value, pos = rest_of_varint(buf, pos, value, self.bits)
        value = (value >> 1) ^ -(value & 1)
        for sink in self.sinks:
            kind = sink.kind
            if kind == BUCKET:
                form = sink.forms[bisect_right(sink.edges, value)]
            elif kind == TRUNCATE:
                form = sink.floor(value)
            elif kind == LIMITED:
                form = sink.limited(value, state.broker_ms)
            else:
                form = sink.table.get(value, sink.otherwise)
            if form is None:
                state.fail(sink)
            else:
                parts[sink.slot] = form
        return pos


class Real(Step):
    """A float (`size` 4) or a double (8), of which views keep buckets, or of seconds the time."""

    def __init__(self, path: str, sinks: list[NumberSink], size: int) -> None:
        super().__init__(path)
        self.sinks = sinks
        self.size = size

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read little-endian IEEE 754. What is not a number is in no bucket."""
        stop = pos + self.size
        if stop > state.end:
            raise Malformed(TRUNCATED)
        value: float = (_FLOAT if self.size == _FLOAT.size else _DOUBLE).unpack_from(buf, pos)[0]
        for sink in self.sinks:
            if sink.kind != BUCKET:
                moment = double_seconds(value)
                if moment is None:
                    state.fail_with(sink.view, sink.unparsable)
                    continue
                form = sink.time(moment, state.broker_ms)
            else:
                form = None if value != value else sink.forms[bisect_right(sink.marks, value)]  # noqa: PLR0124 - NaN
            if form is None:
                state.fail(sink)
            else:
                parts[sink.slot] = form
        return stop


class Decimal(Step):
    """A decimal, `size` bytes or BY_LENGTH, of which views keep buckets: edges are unscaled, as the value is."""

    def __init__(self, path: str, sinks: list[NumberSink], size: int) -> None:
        super().__init__(path)
        self.sinks = sinks
        self.size = size

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read a big-endian two's complement number; no bytes at all are 0."""
        if self.size == BY_LENGTH:
            start, pos = span(buf, pos, state.end)
        else:
            start, pos = pos, pos + self.size
            if pos > state.end:
                raise Malformed(TRUNCATED)
        value = int.from_bytes(buf[start:pos], "big", signed=True)
        for sink in self.sinks:
            form = sink.forms[bisect_right(sink.edges, value)]
            if form is None:
                state.fail(sink)
            else:
                parts[sink.slot] = form
        return pos


class Text(Step):
    """A string that views compare; of `readers` it is read as a number or a time."""

    def __init__(self, path: str, sinks: list[TextSink], readers: list[NumberSink]) -> None:
        super().__init__(path)
        self.sinks = sinks
        self.readers = readers

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:
        """Read it; only what is in no list need be looked at to know that it is UTF-8."""
        start, stop = span(buf, pos, state.end)
        text = buf[start:stop]
        known = False
        for sink in self.sinks:
            form = sink.forms.get(text)
            if form is None:
                if not known:
                    _need_text(text)
                form = sink.otherwise
            known = True
            if form is None:
                state.fail(sink)
            else:
                parts[sink.slot] = form
        for reader in self.readers:
            readable, form = reader.form_of_text(text, state.broker_ms)
            if not readable:
                if not known:
                    _need_text(text)
                state.fail_with(reader.view, reader.unparsable)
            elif form is None:
                state.fail(reader)
            else:
                parts[reader.slot] = form
            known = True
        return stop


class Identifier(Step):
    """A string, bytes (BY_LENGTH) or fixed of which views keep a handle."""

    def __init__(self, path: str, sinks: list[IdentifierSink], size: int) -> None:
        super().__init__(path)
        self.sinks = sinks
        self.size = size

    def walk(self, buf: bytes, pos: int, parts: list[bytes], state: State) -> int:  # noqa: ARG002 - writes later
        """Take the bytes without their length; 1 … 256 of them are an identifier."""
        if self.size == BY_LENGTH:
            start, stop = span(buf, pos, state.end)
        else:
            start, stop = pos, pos + self.size
            if stop > state.end:
                raise Malformed(TRUNCATED)
        allowed = 0 < stop - start <= IDENTIFIER_LIMIT
        for sink in self.sinks:
            if allowed:
                state.identifiers[sink.view] = buf[start:stop]
            else:
                state.fail(sink)
        return stop


def _need_text(text: bytes) -> None:
    if not is_utf8(text):
        raise Malformed(UTF8)
