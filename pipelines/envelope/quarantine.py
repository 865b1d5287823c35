"""Quarantine notes: where records lie that could not be minimized, and why; never anything of what they say.

A note on one record is JSON with exactly these keys: `topic`, `partition`, `offset`, `event`, `view` (null when the
fault is the whole event's), `code`, `path`. Many alike notes become one that counts: `v` (2), `topic`, `partition`,
`event`, `view`, `code`, `path`, `count`, and `offsets`: stretches [first, last], ascending, that do not touch.

A path is spelled as the schema spells it: `checks[]` without an index, `headers{}` without a key. What is not spelled
like that is refused, so that a mistake elsewhere cannot carry a value out through here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import orjson

_NAME: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)){0,248}"
_TOPIC: Final = re.compile(_NAME, re.ASCII)
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", re.ASCII)
_PATH: Final = re.compile(
    r"(?:[A-Za-z_][A-Za-z0-9_]*(?:\[\]|\{\})*(?:\.[A-Za-z_][A-Za-z0-9_]*(?:\[\]|\{\})*)*)?", re.ASCII
)
_MOST_CODE: Final = 64
_MOST_PATH: Final = 4_096
_MOST_BYTES: Final = 32_768
_COUNTS: Final = 2  # the `v` of a note that counts

MOST_SINGLE: Final = 10
"""So many alike notes of a batch are written one by one; more of them are counted."""
MOST_STRETCHES: Final = 500
"""A note that counts has no more stretches of offsets than this, and so at most some 25 kB."""


MOST_COUNTED: Final = 100_000
"""A note that counts stands for no more than this: the most raw events that a transaction may have."""


class Kind(NamedTuple):
    """What alike notes share.

    Attributes:
        topic: the raw topic.
        partition: its partition.
        event: the event type.
        view: the topic of the view whose bound was left; None for a structural fault.
        code: the fault's code.
        path: the field, as the schema spells it; "" if the fault belongs to none.
    """

    topic: str
    partition: int
    event: str
    view: str | None
    code: str
    path: str

    def check(self) -> None:
        """See that a note can say this.

        Raises:
            ValueError: a part is not what its place allows. The message does not repeat it.
        """
        _refuse_unless(_is(_TOPIC, self.topic), "topic")
        _refuse_unless(0 <= self.partition < 1 << 31, "partition")
        _refuse_unless(_is(_TOPIC, self.event), "event")
        _refuse_unless(self.view is None or _is(_TOPIC, self.view), "view")
        _refuse_unless(len(self.code) <= _MOST_CODE and _is(_CODE, self.code), "code")
        _refuse_unless(len(self.path) <= _MOST_PATH and _is(_PATH, self.path), "path")


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """What is noted of one raw record; see `Kind`."""

    topic: str
    partition: int
    offset: int
    event: str
    view: str | None
    code: str
    path: str

    @property
    def kind(self) -> Kind:
        """What it shares with notes like it."""
        return Kind(self.topic, self.partition, self.event, self.view, self.code, self.path)


@dataclass(frozen=True, slots=True)
class Notes:
    """What one record of quarantine holds: notes that differ in their offsets alone.

    `stretches` are (first, last) offsets, ascending, at most `MOST_STRETCHES`.
    """

    kind: Kind
    stretches: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many notes they are."""
        return sum(last - first + 1 for first, last in self.stretches)

    def each(self) -> Iterator[Note]:
        """The notes one by one, by offset."""
        topic, partition, event, view, code, path = self.kind
        for first, last in self.stretches:
            for offset in range(first, last + 1):
                yield Note(topic, partition, offset, event, view, code, path)


def quarantine_record(kind: Kind, offset: int) -> bytes:
    """The note on the raw record at one offset.

    Raises:
        ValueError: the kind or the offset is not what its place allows. The message does not repeat it.
    """
    kind.check()
    _refuse_unless(0 <= offset < 1 << 63, "offset")
    topic, partition, *rest = kind
    document = {"topic": topic, "partition": partition, "offset": offset}
    return orjson.dumps({**document, **dict(zip(Kind._fields[2:], rest, strict=True))})


def quarantine_records(kind: Kind, offsets: Sequence[int]) -> Iterator[bytes]:
    """The notes on the raw records at these offsets, which ascend: one each, or beyond `MOST_SINGLE` counted.

    Raises:
        ValueError: as `quarantine_record`, or the offsets do not ascend.
    """
    if len(offsets) <= MOST_SINGLE:
        for offset in offsets:
            yield quarantine_record(kind, offset)
        return
    stretches = _stretches(offsets)
    for at in range(0, len(stretches), MOST_STRETCHES):
        yield _counted(Notes(kind, tuple(stretches[at : at + MOST_STRETCHES])))


def read_notes(value: bytes) -> Notes | None:
    """The notes that a relay wrote as one record; None for any bytes that it would not write, whoever wrote them.

    Reads what releases without notes that count wrote, too.
    """
    if len(value) > _MOST_BYTES:
        return None
    try:
        document = orjson.loads(value)
        kind = Kind(*(document[name] for name in Kind._fields))
        notes = Notes(kind, _read_stretches(document))
        written = _counted(notes) if "v" in document else quarantine_record(kind, notes.stretches[0][0])
    except (ValueError, TypeError, KeyError):
        return None
    # Its own bytes back: no other spelling, key twice, `true` for 1 or number with a point gets by.
    return notes if written == value and type(kind.partition) is int else None


def _counted(notes: Notes) -> bytes:
    notes.kind.check()
    stretches = notes.stretches
    _refuse_unless(
        0 < len(stretches) <= MOST_STRETCHES
        and notes.count <= MOST_COUNTED
        and stretches[0][0] >= 0
        and stretches[-1][1] < 1 << 63
        and all(first <= last for first, last in stretches)
        and all(last + 1 < following for (_, last), (following, _) in pairwise(stretches)),
        "offsets",
    )
    return orjson.dumps({"v": _COUNTS, **notes.kind._asdict(), "count": notes.count, "offsets": stretches})


def _stretches(offsets: Sequence[int]) -> list[tuple[int, int]]:
    stretches: list[tuple[int, int]] = []
    first = last = offsets[0]
    for offset in offsets[1:]:
        if offset != last + 1:
            stretches.append((first, last))
            first = offset
        last = offset
    stretches.append((first, last))
    return stretches


def _read_stretches(document: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Raises ValueError, TypeError or KeyError for what are none."""
    pairs = document["offsets"] if "v" in document else [(document["offset"], document["offset"])]
    if len(pairs) > MOST_STRETCHES or any(type(each) is not int for pair in pairs for each in pair):
        raise ValueError
    return tuple((first, last) for first, last in pairs)


def _is(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text) is not None


def _refuse_unless(allowed: bool, place: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not allowed:
        raise ValueError(f"a quarantine note cannot say this as its {place}")
