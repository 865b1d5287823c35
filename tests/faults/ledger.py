"""The group's offset commits, read from Kafka's own log of them, and what is wrong with them.

Shares no code with the relay. Keys and values of `__consumer_offsets` are decoded as Kafka's message schemas say
(OffsetCommitKey, OffsetCommitValue 0-4, GroupMetadataKey and -Value 0-4, ConsumerGroupTargetAssignmentMetadataKey and
-Value, in group-coordinator/src/main/resources/common/message). Bytes that are not so are counted, never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipelines.broker import Cluster, records

TOPIC: Final = "__consumer_offsets"
_OFFSET_KEYS: Final = (0, 1)
_GROUP_KEY: Final = 2
_TARGET_KEY: Final = 6
_NEWEST_VALUE: Final = 4
_FLEXIBLE: Final = 4
_COUNTS: Final = 5


class UndecodableError(ValueError):
    """The bytes are not what the schema says. Holds none of them."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed offset; `offset` is None for a tombstone (the commit was deleted). `at_ms`: since 1970."""

    group: str
    topic: str
    partition: int
    offset: int | None
    metadata: str = ""
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of the group in which partitions were assigned."""

    group: str
    number: int


class _Bytes:
    """A cursor; whatever does not fit is undecodable."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integer(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big", signed=True)

    def text(self) -> str:
        return self._text(self.integer(2))

    def nullable_text(self) -> str | None:
        size = self.integer(2)
        return None if size == -1 else self._text(size)

    def compact_text(self) -> str | None:
        """Length plus one as an unsigned varint; 0 is null (KIP-482)."""
        size = self.varint()
        return None if size == 0 else self._text(size - 1)

    def varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise UndecodableError("a varint of more than five bytes")

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise UndecodableError("text that is not UTF-8") from None

    def _take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise UndecodableError("it ends too early, or a length is negative")
        self._at += size
        return self._data[self._at - size : self._at]


def decode(key: bytes | None, value: bytes | None) -> Commit | Generation | None:
    """What a record of `__consumer_offsets` says, if it is of a kind that is of use here.

    Raises:
        UndecodableError: it is of such a kind, and not what the schema says.
    """
    if key is None:
        raise UndecodableError("a record without a key")
    read = _Bytes(key)
    kind = read.integer(2)
    if kind in _OFFSET_KEYS:
        group, topic, partition = read.text(), read.text(), read.integer(4)
        if value is None:
            return Commit(group, topic, partition, None)
        return Commit(group, topic, partition, *_offset(_Bytes(value)))
    if kind == _GROUP_KEY and value is not None:
        return _classic(read.text(), _Bytes(value))
    if kind == _TARGET_KEY and value is not None:
        group, body = read.text(), _Bytes(value)
        body.integer(2)
        number = body.integer(4)
        return Generation(group, number) if number > 0 else None
    return None


def _offset(read: _Bytes) -> tuple[int, str, int]:
    version = read.integer(2)
    if not 0 <= version <= _NEWEST_VALUE:
        raise UndecodableError("an offset of a version that is not known")
    offset = read.integer(8)
    if version >= 3:
        read.integer(4)  # leader epoch
    metadata = read.compact_text() if version >= _FLEXIBLE else read.text()
    at_ms = read.integer(8)
    if offset < 0 or metadata is None:
        raise UndecodableError("an offset below zero, or without metadata")
    return offset, metadata, at_ms


def _classic(group: str, read: _Bytes) -> Generation | None:
    version = read.integer(2)
    if not 0 <= version <= _NEWEST_VALUE:
        raise UndecodableError("a group of a version that is not known")
    text = read.compact_text if version >= _FLEXIBLE else read.nullable_text
    text()  # protocol type
    number = read.integer(4)
    text()  # protocol
    text()  # leader
    if version >= 2:
        read.integer(8)  # since when
    members = read.varint() - 1 if version >= _FLEXIBLE else read.integer(4)
    return Generation(group, number) if members > 0 else None


@dataclass(slots=True)
class Standing:
    """Where one raw partition's books stand: what was passed so far, and each view's five counts."""

    offset: int
    events_in: int
    gap: int
    views: dict[str, list[int]]


@dataclass(slots=True)
class Ledger:
    """What the commits of one group say, in their order.

    `regressions` are commits behind an earlier one; `errors` are books that do not balance, shrink, or do not grow by
    what the offsets passed.
    """

    group: str
    commits: int = 0
    regressions: int = 0
    errors: int = 0
    undecodable: int = 0
    generations: set[int] = field(default_factory=set)
    standing: dict[tuple[str, int], Standing] = field(default_factory=dict)

    def read(self, log: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Take in the log's keys and values."""
        for key, value in log:
            try:
                entry = decode(key, value)
            except UndecodableError:
                self.undecodable += 1
                continue
            if isinstance(entry, Generation) and entry.group == self.group:
                self.generations.add(entry.number)
            elif isinstance(entry, Commit) and entry.group == self.group:
                self._take(entry)

    def _take(self, commit: Commit) -> None:
        self.commits += 1
        books = None if commit.offset is None else _books(commit.offset, commit.metadata)
        if books is None:
            self.errors += 1
            return
        # Raw topics begin at 0 here, and nothing expires: what was passed before the first commit was counted, too.
        before = self.standing.get((commit.topic, commit.partition)) or Standing(0, 0, 0, {})
        self.regressions += books.offset < before.offset
        self.errors += not _follows(books, before)
        self.standing[commit.topic, commit.partition] = books


def _books(offset: int, metadata: str) -> Standing | None:
    try:
        # confluent-kafka hands librdkafka the C string with its NUL, and so the broker keeps one more character.
        document: Any = orjson.loads(metadata.removesuffix("\0"))
        views = {topic: [_count(count) for count in counts] for topic, counts in document["views"].items()}
        books = Standing(offset, _count(document["in"]), _count(document["gap"]), views)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    whole = bool(views) and all(len(counts) == _COUNTS for counts in views.values())
    return books if whole else None


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no count")
    return value


def _follows(books: Standing, before: Standing) -> bool:
    """Whether books are right in themselves and come after others: every raw offset is an event or a counted gap."""
    if books.events_in + books.gap - before.events_in - before.gap != books.offset - before.offset:
        return False
    if before.views and before.views.keys() != books.views.keys():
        return False
    for topic, (since, *fates) in books.views.items():
        if books.events_in - since != sum(fates):
            return False
        earlier = before.views.get(topic, [since, 0, 0, 0, 0])
        if since != earlier[0] or any(now < then for now, then in zip(fates, earlier[1:], strict=True)):
            return False
    return True


def log_of(cluster: Cluster) -> Iterator[tuple[bytes | None, bytes | None]]:
    """The committed records of `__consumer_offsets`, each partition's in order (a group is in one partition)."""
    for message in records(cluster, TOPIC):
        key, value = message.key(), message.value()
        assert not isinstance(key, str)
        assert not isinstance(value, str)
        yield key, value
