"""Raw files: local samples of raw events, as JSON lines or as an Avro object container file, turned into raw values.

A file is somebody else's: it may be cut, spoilt or made to harm. Nothing is read beyond a bound, nothing is unpacked
beyond one, a container's schema must be one of the contract's (by fingerprint), and its items are delimited by the
strict walk of the minimizer, not by a lenient library. What is wrong is told by place, code and field name: no value
and no text of the file's is ever in a message.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from pipelines.contract.derived import fingerprint
from pipelines.contract.model import Event, RawSchema
from pipelines.explain.plain import UNFIT_CODES, Unfit, encode, parse
from pipelines.minimize.compile import steps_of
from pipelines.minimize.faults import FAULT_CODES, Malformed
from pipelines.minimize.walk import State, walk_steps
from pipelines.minimize.wire import LONG, rest_of_varint
from pipelines.trouble import Exit, Trouble

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_SCHEMA: Final = 1024 * 1024
_CONTAINER: Final = b"Obj\x01"
_SINGLE_OBJECT: Final = b"\xc3\x01"
_HEADER_BYTES: Final = 10
_MARK: Final = 16
_OURS: Final = ("class", "max_items", "class_review")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is read of a file at most: so many events, and so many bytes after unpacking."""

    events: int = 200_000
    unpacked: int = 256 * 1024 * 1024


_BOUNDS: Final = Bounds()


def raw_values(content: bytes, event: Event, version: int | None = None, bounds: Bounds = _BOUNDS) -> Iterator[bytes]:
    """The events of a file, each in Avro single-object encoding.

    Args:
        content: the file.
        event: the event type that it should hold.
        version: which raw schema JSON events are written with; the newest if None.
        bounds: what is read at most.

    Raises:
        Trouble: (exit 2) it is no such file, or is spoilt; says where, and never what.
    """
    if len(content) > MOST_BYTES:
        raise _trouble(
            f"the file has more than {MOST_BYTES >> 20} MiB", "Take a part of it: a sample need not be whole."
        )
    if not content.strip():
        raise _trouble("the file is empty", "It holds raw events: JSON, one object a line, or an Avro container file.")
    if content.startswith(_CONTAINER):
        yield from _container(content, event, bounds)
    elif content.startswith(_SINGLE_OBJECT):
        yield _single(content, event)
    else:
        yield from _json(content, event, version, bounds)


def _single(content: bytes, event: Event) -> bytes:
    """The bytes of one Kafka value, all of them."""
    schema = next((one for one in event.versions if one.fingerprint == content[2:_HEADER_BYTES]), None)
    if schema is None:
        raise _trouble(f"the file is written with no schema of {event.name}", "See schemas/raw/.")
    try:
        end = walk_steps(steps_of(schema.record, [], ""), content, _HEADER_BYTES, [], State(len(content), 0, 0))
    except Malformed as malformed:
        said = _said(malformed.code, malformed.path, FAULT_CODES)
        raise _trouble(f"the event is malformed: {said}", "Write the file anew.") from None
    if end != len(content):
        raise _trouble("bytes follow the event", "Write one Kafka value to a file, or an Avro container of several.")
    return content


def _json(content: bytes, event: Event, version: int | None, bounds: Bounds) -> Iterator[bytes]:
    schemas = [schema for schema in event.versions if version in (None, schema.version)]
    if not schemas:
        raise _trouble(f"{event.name} has no version {version}", "See schemas/raw/.")
    lines = content.split(b"\n")
    first = next(line for line in lines if line.strip())
    if not first.rstrip().endswith(b"}"):  # the beginning of one event, written over several lines
        lines = [content]
    for number, line in enumerate(lines, 1):
        if number > bounds.events:
            raise _too_many(bounds)
        if line.strip():
            document = parse(line)
            value = document if isinstance(document, Unfit) else encode(schemas[-1], document)
            if isinstance(value, Unfit):
                raise _trouble(f"line {number}: {_said(value.code, value.path, UNFIT_CODES)}", _JSON_HINT)
            yield value


def _container(content: bytes, event: Event, bounds: Bounds) -> Iterator[bytes]:
    """Avro 1.12, "Object Container Files": magic, metadata, a mark; blocks of count, size, items and the mark."""
    file = _Cursor(content, len(_CONTAINER))
    meta = file.metadata()
    schema = _schema(meta.get(b"avro.schema", b""), event)
    codec = meta.get(b"avro.codec", b"null")
    if codec not in (b"null", b"deflate"):
        raise _trouble("the file is packed by a codec other than deflate", "Write it with the codec null or deflate.")
    mark = file.take(_MARK)
    steps = steps_of(schema.record, [], "")
    number, room = 0, bounds.unpacked
    while file.at < len(content):
        count, block = file.number(), file.take(file.number())
        if codec == b"deflate":
            block = _unpacked(block, room, bounds)
            room -= len(block)
        if file.take(_MARK) != mark or count < 0:
            raise _spoilt()
        at = 0
        for _ in range(count):
            number += 1
            if number > bounds.events:
                raise _too_many(bounds)
            try:
                end = walk_steps(steps, block, at, [], State(len(block), 0, 0))
            except Malformed as malformed:
                said = _said(malformed.code, malformed.path, FAULT_CODES)
                raise _trouble(
                    f"event {number}: {said}", "Write the file again: it is truncated or corrupt there."
                ) from None
            yield _SINGLE_OBJECT + schema.fingerprint + block[at:end]
            at = end
        if at != len(block):
            raise _spoilt()


class _Cursor:
    """Reads a container's frame; nothing is taken beyond its end."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self.at = at

    def number(self) -> int:
        try:
            first = self._content[self.at]
            value, self.at = first, self.at + 1
            if first > 127:  # noqa: PLR2004 - seven bits
                value, self.at = rest_of_varint(self._content, self.at, first, LONG)
        except (IndexError, Malformed):
            raise _spoilt() from None
        return (value >> 1) ^ -(value & 1)

    def take(self, size: int) -> bytes:
        taken = self._content[self.at : self.at + max(size, 0)]
        if size < 0 or len(taken) < size:
            raise _spoilt()
        self.at += size
        return taken

    def metadata(self) -> dict[bytes, bytes]:
        meta: dict[bytes, bytes] = {}
        while count := self.number():
            if count < 0:
                self.number()  # the block's size, which nobody needs
            for _ in range(abs(count)):
                key = self.take(self.number())  # ends where the file does: a count cannot keep it here
                meta[key] = self.take(self.number())
        return meta


def _schema(text: bytes, event: Event) -> RawSchema:
    """The version that a container was written with."""
    found = None
    if len(text) <= MOST_SCHEMA:
        try:
            found = fingerprint(_bare(orjson.loads(text)))
        except (ValueError, RecursionError):  # orjson's error is a ValueError, too, and holds the text
            found = None
    schema = next((version for version in event.versions if version.fingerprint == found), None)
    if schema is None:
        hint = f"Write it with one of the schemas of {event.name} in schemas/raw/, unchanged."
        raise _trouble(f"the file's schema is not a schema of {event.name}", hint)
    return schema


def _bare(schema: object) -> object:
    match schema:
        case dict():
            return {
                key: value if key == "default" else _bare(value) for key, value in schema.items() if key not in _OURS
            }
        case list():
            return [_bare(item) for item in schema]
        case _:
            return schema


def _unpacked(block: bytes, room: int, bounds: Bounds) -> bytes:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = machine.decompress(block, room + 1)
    except zlib.error:
        raise _spoilt() from None
    if len(unpacked) > room or machine.unconsumed_tail:
        raise _trouble(f"the file unpacks to more than {bounds.unpacked >> 20} MiB", "Take a part of it.")
    if not machine.eof:
        raise _spoilt()
    return unpacked


def _said(code: str, path: str, codes: dict[str, str]) -> str:
    return f"{codes.get(code, code)}{f' ({path})' if path else ''}"


def _spoilt() -> Trouble:
    return _trouble("the file is truncated or corrupt: it is not a whole Avro container file", "Write it anew.")


def _too_many(bounds: Bounds) -> Trouble:
    return _trouble(
        f"the file has more than {bounds.events:,} events", "Take a part of it: a sample need not be whole."
    )


_JSON_HINT: Final = "The file holds JSON, one event a line, as `pipelines try` reads it, or is an Avro container file."


def _trouble(what: str, hint: str) -> Trouble:
    return Trouble(what, hint=hint, exit_code=Exit.USAGE)
