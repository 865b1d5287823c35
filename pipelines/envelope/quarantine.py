"""Quarantine notes: where a record lies that could not be minimized, and why; never anything of what it says.

A note is JSON with exactly these keys: `topic`, `partition`, `offset`, `event`, `view` (null when the fault is the
whole event's), `code`, `path`. A path is spelled as the schema spells it: `checks[]` without an index, `headers{}`
without a key. What is not spelled like that is refused, so that a mistake elsewhere cannot carry a value out through
here.
"""

import re
from dataclasses import asdict, dataclass
from typing import Final

import orjson

_NAME: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)){0,248}"
_TOPIC: Final = re.compile(_NAME, re.ASCII)
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", re.ASCII)
_PATH: Final = re.compile(
    r"(?:[A-Za-z_][A-Za-z0-9_]*(?:\[\]|\{\})*(?:\.[A-Za-z_][A-Za-z0-9_]*(?:\[\]|\{\})*)*)?", re.ASCII
)
_MOST_CODE: Final = 64
_MOST_PATH: Final = 4_096
_MOST_BYTES: Final = 8_192


def quarantine_record(
    *, topic: str, partition: int, offset: int, event: str, view: str | None, code: str, path: str
) -> bytes:
    """The note on one raw record.

    Args:
        topic: the raw topic.
        partition: its partition.
        offset: the record's offset.
        event: the event type.
        view: the topic of the view whose bound was left; None for a structural fault.
        code: the fault's code.
        path: the field, as the schema spells it; "" if the fault belongs to none.

    Raises:
        ValueError: an argument is not what its place allows. The message does not repeat it.
    """
    _refuse_unless(_is(_TOPIC, topic), "topic")
    _refuse_unless(0 <= partition < 1 << 31, "partition")
    _refuse_unless(0 <= offset < 1 << 63, "offset")
    _refuse_unless(_is(_TOPIC, event), "event")
    _refuse_unless(view is None or _is(_TOPIC, view), "view")
    _refuse_unless(len(code) <= _MOST_CODE and _is(_CODE, code), "code")
    _refuse_unless(len(path) <= _MOST_PATH and _is(_PATH, path), "path")
    return orjson.dumps(
        {
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "event": event,
            "view": view,
            "code": code,
            "path": path,
        }
    )


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """What a note says; see `quarantine_record`."""

    topic: str
    partition: int
    offset: int
    event: str
    view: str | None
    code: str
    path: str


def read_note(value: bytes) -> Note | None:
    """The note that `quarantine_record` wrote; None for any bytes that it did not, whoever wrote them."""
    if len(value) > _MOST_BYTES:
        return None
    try:
        note = Note(**orjson.loads(value))
        written = quarantine_record(**asdict(note))
    except (ValueError, TypeError):
        return None
    # Its own bytes back: no other spelling, key twice, `true` for 1 or number with a point gets by.
    return note if written == value and type(note.partition) is type(note.offset) is int else None


def _is(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text) is not None


def _refuse_unless(allowed: bool, place: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not allowed:
        raise ValueError(f"a quarantine note cannot say this as its {place}")
