"""Books at rest: as the metadata of a committed offset, and summed over partitions.

The counts travel inside the transaction that the events travel in (KIP-98, OffsetCommitRequest `metadata`), so they are
true after any crash, and anyone who may read the group's offsets can check them (`books`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pipelines.relay.books import PartitionBook, ViewBook

_FORMAT = 1
_MARK = re.compile(r"[0-9a-f]{16}")
# An instance and a slot: what Kafka allows in the name of a resource, so that nothing else is ever fenced.
_PLACE = re.compile(r"[A-Za-z0-9._-]{1,200}\.[0-9]{1,6}")
# One less than Kafka's offset.metadata.max.bytes: confluent-kafka sends the text with the NUL at its end.
METADATA_LIMIT_BYTES = 4095


def to_metadata(book: PartitionBook, by: str = "", keyring: str = "") -> str:
    """The books as offset metadata (ASCII JSON, at most 4,095 bytes).

    Where there is room, also with which `keyring` (its mark), and `by` whom. Releases that know neither pass over them.

    Raises:
        ValueError: more views than fit, which the contract's own check refuses.
    """
    views = {t: [b.since, b.out, b.quarantined, b.expired, b.suspended] for t, b in book.views.items()}
    document = {"v": _FORMAT, "in": book.events_in, "gap": book.gap, "views": views}
    text = orjson.dumps(document).decode("ascii")
    if len(text) > METADATA_LIMIT_BYTES:
        raise ValueError(f"the books of {len(book.views)} views exceed {METADATA_LIMIT_BYTES} bytes")
    marked = {**document, "keyring": keyring} if keyring else document
    for fuller in ({**marked, "by": by} if by else marked, marked):
        more = orjson.dumps(fuller)
        if more.isascii() and len(more) <= METADATA_LIMIT_BYTES:
            return more.decode()
    return text


def from_metadata(next_offset: int, metadata: str | None) -> PartitionBook:
    """Read books back.

    Raises:
        ValueError: the metadata is not books that this version understands; the message holds none of it.
    """
    try:
        document: Any = orjson.loads(metadata or "")
    except orjson.JSONDecodeError:
        raise ValueError("the offset's metadata is not JSON") from None
    if not isinstance(document, dict) or document.get("v") != _FORMAT:
        raise ValueError(f"the offset's metadata is not books of format {_FORMAT}")
    views = document.get("views")
    if not isinstance(views, dict):
        raise ValueError("the offset's metadata holds no views")  # noqa: TRY004 - one error for a bad document
    return PartitionBook(
        next_offset,
        _count(document.get("in")),
        _count(document.get("gap")),
        {str(topic): _view_book(counts) for topic, counts in views.items()},
    )


def committer(metadata: str | None) -> str | None:
    """By whom an offset was committed, if its metadata says so."""
    return _said(metadata, "by", _PLACE)


def keyring_mark(metadata: str | None) -> str | None:
    """The mark of the keyring that a commit's handles were made with, if its metadata says so."""
    return _said(metadata, "keyring", _MARK)


def _said(metadata: str | None, name: str, form: re.Pattern[str]) -> str | None:
    try:
        document: Any = orjson.loads(metadata or "")
    except orjson.JSONDecodeError:
        return None
    said = document.get(name) if isinstance(document, dict) else None
    return said if isinstance(said, str) and form.fullmatch(said) else None


def _view_book(counts: object) -> ViewBook:
    match counts:
        case [since, out, quarantined, expired, suspended]:
            return ViewBook(_count(since), _count(out), _count(quarantined), _count(expired), _count(suspended))
    raise ValueError("the offset's metadata holds a view without its five counts")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("the offset's metadata holds something that is not a count")


@dataclass(slots=True)
class Flow:
    """What one view was shown, and what became of it, over all partitions of a raw topic."""

    shown: int = 0
    out: int = 0
    quarantined: int = 0
    expired: int = 0
    suspended: int = 0


def flows(books: Mapping[tuple[str, int], PartitionBook]) -> dict[str, dict[str, Flow]]:
    """The books by raw topic and minimized topic, summed over partitions."""
    sums: dict[str, dict[str, Flow]] = {}
    for (raw_topic, _), book in sorted(books.items()):
        for topic, view in book.views.items():
            into = sums.setdefault(raw_topic, {}).setdefault(topic, Flow())
            into.shown += book.events_in - view.since
            into.out += view.out
            into.quarantined += view.quarantined
            into.expired += view.expired
            into.suspended += view.suspended
    return sums
