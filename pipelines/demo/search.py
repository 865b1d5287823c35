"""The search: every byte of every record, log line and metric, for canaries and synthetic identifiers.

It remembers how many it found and where, never what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pipelines.demo.evidence import Searched
from pipelines.simulate import find

Header = tuple[str, bytes]


class Record(Protocol):
    """What the search needs of a Kafka message."""

    def key(self) -> str | bytes | None:
        """Its key."""

    def value(self) -> bytes | None:
        """Its value."""

    def timestamp(self) -> tuple[int, int]:
        """The kind of its timestamp, and the timestamp (ms)."""


def search_record(searched: Searched, place: str, record: Record, headers: Sequence[Header]) -> None:
    """Look at a record's key, value, headers and timestamp."""
    searched.looked[place] += 1
    parts = tuple(_parts(record, headers))
    # No mark holds a line's end, so the parts in one piece hold a mark where one of them does.
    whole = b"\n".join([data for _, data in parts])
    searched.size_bytes += len(whole) - len(parts) + 1
    if find(whole) is None:
        return
    for part, data in parts:
        _note(searched, place, part, data)


def search_line(searched: Searched, place: str, line: bytes) -> None:
    """Look at a line of text."""
    searched.looked[place] += 1
    searched.size_bytes += len(line)
    _note(searched, place, "line", line)


def _note(searched: Searched, place: str, part: str, data: bytes) -> None:
    kind = find(data)
    if kind is not None:
        searched.leaks[kind, place, part] += 1


def _parts(record: Record, headers: Sequence[Header]) -> Iterator[tuple[str, bytes]]:
    key, timestamp_ms = record.key(), record.timestamp()[1]
    yield "key", key.encode() if isinstance(key, str) else key or b""
    yield "value", record.value() or b""
    for name, value in headers:
        yield "header", name.encode() + b"=" + value
    yield "timestamp", timestamp_ms.to_bytes(8, "big", signed=True) + str(timestamp_ms).encode()
