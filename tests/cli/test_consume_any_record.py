"""`pipelines consume` shows records that anybody may have written: no bytes end it or steer a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli.consume import _line, _told
from pipelines.cli.printing import json_text, visible
from pipelines.envelope import Kind, quarantine_record, quarantine_records
from pipelines.sdk.decoding import Decoder


@dataclass(frozen=True)
class Record:
    """A confluent_kafka.Message for these tests."""

    written: bytes | None = None
    keyed: bytes | None = None
    heads: list[tuple[str, bytes | None]] = field(default_factory=list)
    at_ms: int = 0

    def value(self) -> bytes | None:
        return self.written

    def key(self) -> bytes | None:
        return self.keyed

    def headers(self) -> list[tuple[str, bytes | None]]:
        return self.heads

    def timestamp(self) -> tuple[int, int]:
        return 1, self.at_ms

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7


class Decoded(Decoder):
    """A decoder that found these fields."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        object.__setattr__(self, "schemas", {b"x": fields})

    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = self.schemas[value]
        return found


def told(record: Record, decoder: Decoder | None) -> dict[str, Any]:
    return _told(record, decoder)  # type: ignore[arg-type]


def test_a_null_field_of_a_record_without_key_is_null() -> None:
    shown = _line(told(Record(b"x"), Decoded({"carrier": None, "ok": True, "zones": ["a", None]})))
    assert shown.splitlines()[2].strip() == 'carrier=null  ok=true  zones=["a",null]'


def test_a_field_that_repeats_the_handle_is_short_and_one_that_is_null_is_not() -> None:
    handle = bytes(range(16))
    shown = _line(told(Record(b"x", handle), Decoded({"device_id": handle, "account_id": None})))
    assert shown.splitlines()[2].strip() == 'device_id="00010203…"  account_id=null'


@pytest.mark.parametrize(
    "value", [b"123", b"null", b'"text"', b"[1]", b'{"a":1}', b"{", b"", b"\x1b[31m", b"\xff", None]
)
def test_a_record_of_quarantine_that_is_no_note_is_said_to_be_none_and_not_shown(value: bytes | None) -> None:
    assert _line(told(Record(value), None)) == "0/7  not a note of the relay"
    assert told(Record(value), None)["note"] is None


TRUNCATED = Kind("raw.vpn.session", 1, "vpn.session", None, "truncated", "")


def test_a_note_that_counts_is_shown_as_it_is_written() -> None:
    (note,) = quarantine_records(TRUNCATED, range(2_000))
    shown = _line(told(Record(note), None))
    assert shown.endswith('code="truncated"  path=""  count=2000  offsets=[[0,1999]]')


def test_a_note_is_shown_as_json() -> None:
    note = quarantine_record(TRUNCATED, 2)
    shown = _line(told(Record(note), None))
    assert shown.startswith('0/7  topic="raw.vpn.session"  partition=1  offset=2  event="vpn.session"  view=null')


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(),
    st.binary(),
    st.sampled_from([date.min, datetime.max.replace(tzinfo=UTC), time.max, Decimal("1E+9"), UUID(int=3)]),
)
HEADERS = st.lists(st.tuples(st.text(), st.one_of(st.none(), st.binary())))


@given(
    fields=st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), st.one_of(ANY, st.lists(ANY))),
    key=st.one_of(st.none(), st.binary()),
    headers=HEADERS,
    at_ms=st.integers(-(2**63), 2**63 - 1),
)
def test_whatever_a_record_says_it_is_printed_on_three_lines_and_is_json(
    fields: dict[str, Any], key: bytes | None, headers: list[tuple[str, bytes | None]], at_ms: int
) -> None:
    found = told(Record(b"x", key, headers, at_ms), Decoded(fields))
    lines = _line(found).split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    document = json_text(found)
    assert document.isprintable()
    assert json.loads(document)["fields"].keys() == fields.keys()
    for name, value in fields.items():
        if isinstance(value, bool | int | str):
            assert json.loads(document)["fields"][name] == value
        elif isinstance(value, float) and not math.isfinite(value):
            assert json.loads(document)["fields"][name] is None


@given(st.text())
def test_text_that_others_wrote_is_printable_and_what_was_printable_stays(text: str) -> None:
    assert all(line.isprintable() for line in visible(text).split("\n"))
    assert visible(visible(text)) == visible(text)
    assert not text.isprintable() or visible(text) == text
