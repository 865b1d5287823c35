"""Avro's wire forms: the guards that reading them needs, and the few forms that a view writes.

Avro 1.12, "Binary encoding". Readers take the whole buffer and a position, and give the next position. A read beyond
the buffer's end is an IndexError, which the walk turns into the code `truncated`. Positions never go backwards,
because every length is checked to be neither negative nor beyond the end before it is added.
"""

# ruff: noqa: PLR2004 - 127 is seven bits

from __future__ import annotations

from typing import Final

from pipelines.minimize.faults import BLOCK_SIZE, ITEM_COUNT, NEGATIVE_LENGTH, TRUNCATED, VARINT, Malformed

MAGIC: Final = b"\xc3\x01"
HEADER_SIZE: Final = 10
INT: Final = 32
LONG: Final = 64


def rest_of_varint(buf: bytes, pos: int, first: int, bits: int) -> tuple[int, int]:
    """Read on after a first byte that is not the last.

    Returns:
        The number before zigzag (0 … 2**bits - 1), and the position after it.

    Raises:
        Malformed: it takes more bytes than it need, or more bits than `bits`.
    """
    value = first & 127
    shift = 7
    last_shift = 28 if bits == INT else 63
    while True:
        byte = buf[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        if shift == last_shift:
            raise Malformed(VARINT)
        shift += 7
    if byte == 0 or (shift == last_shift and byte > (15 if bits == INT else 1)):
        raise Malformed(VARINT)
    return value, pos


def past_varint(buf: bytes, pos: int, bits: int) -> int:
    """Pass a number that nobody wants: the position after it.

    Raises:
        Malformed: as `rest_of_varint`.
    """
    if buf[pos] < 128:
        return pos + 1
    last = pos + 1
    while buf[last] > 127:
        last += 1
    most = 4 if bits == INT else 9
    length = last - pos
    if buf[last] == 0 or length > most or (length == most and buf[last] > (15 if bits == INT else 1)):
        raise Malformed(VARINT)
    return last + 1


def long_span(buf: bytes, pos: int, first: int, end: int) -> tuple[int, int]:
    """Read a length whose first byte was not an even one below 128.

    Returns:
        Where the bytes begin that it measures, and where they end (not after `end`).
    """
    value = first
    if first > 127:
        value, pos = rest_of_varint(buf, pos, first, LONG)
    if value & 1:
        raise Malformed(NEGATIVE_LENGTH)
    stop = pos + (value >> 1)
    if stop > end:
        raise Malformed(TRUNCATED)
    return pos, stop


def span(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read a length: where the bytes begin that it measures, and where they end (not after `end`)."""
    first = buf[pos]
    pos += 1
    if first & 0x81:
        return long_span(buf, pos, first, end)
    stop = pos + (first >> 1)
    if stop > end:
        raise Malformed(TRUNCATED)
    return pos, stop


def open_block(buf: bytes, pos: int, end: int, least: int) -> tuple[int, int, int]:
    """Read the head of a block of an array or map.

    Args:
        buf: the whole value.
        pos: where the head begins.
        end: where the value ends.
        least: the fewest bytes that an item takes.

    Returns:
        How many items follow (0: there is no further block), where the first one begins, and where the block must end
        (-1: it does not say).

    Raises:
        Malformed: the items cannot fit in what is left. An item of no bytes counts as one, so no count can make the
            walk loop for longer than the value is.
    """
    value = buf[pos]
    pos += 1
    if value > 127:
        value, pos = rest_of_varint(buf, pos, value, LONG)
    count = value >> 1
    stop = -1
    if value & 1:
        count += 1
        size = buf[pos]
        pos += 1
        if size > 127:
            size, pos = rest_of_varint(buf, pos, size, LONG)
        stop = pos + (size >> 1)
        if size & 1 or stop > end:
            raise Malformed(BLOCK_SIZE)
    if count > (end - pos) // (least or 1):
        raise Malformed(ITEM_COUNT)
    return count, pos, stop


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are UTF-8. Not by letting the error out: it would hold the bytes."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def long_form(value: int) -> bytes:
    """The wire form of an int or long (zigzag, then seven bits a byte)."""
    rest = (value << 1) ^ (value >> 63)
    form = bytearray()
    while rest > 127:
        form.append(rest & 127 | 128)
        rest >>= 7
    form.append(rest)
    return bytes(form)


def text_form(text: str) -> bytes:
    """The wire form of a string."""
    body = text.encode()
    return long_form(len(body)) + body
