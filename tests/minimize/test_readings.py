"""Texts and doubles that views read as numbers and times: walk and reference agree, and hostile input is not read."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.actions import Action, Bucket, Truncate
from pipelines.contract.avro import Primitive
from pipelines.contract.model import HOUR_MS, Event
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.minimize.reference import minimize_event
from tests.minimize.events import BROKER_MS, event_of, record_of
from tests.support.random_data import varint

WHOLE = Bucket((-10, 0, 1, 10, 10**17), "decimal")
PARTS = Bucket((-0.5, 0.0, 0.1, 0.7, 2.5), "decimal")
ISO = Truncate(1_000, read="iso8601")
SECONDS = Truncate(100, read="epoch_seconds")
RULES: dict[str, Action] = {"whole": WHOLE, "parts": PARTS, "iso": ISO, "seconds": SECONDS}


def _event(action: Action, kind: str) -> Event:
    return event_of([record_of(f=Primitive(kind))], {"f": action})  # type: ignore[arg-type]


def outcome(action: Action, value: bytes | float, broker_ms: int = BROKER_MS) -> bytes | str:
    """The body that a view writes, or the code of its fault, by the walk and by the reference alike."""
    kind, form = ("double", struct.pack("<d", value)) if isinstance(value, float) else ("string", None)
    event = _event(action, kind)
    body = form if form is not None else varint(len(value)) + value  # type: ignore[arg-type, operator]
    sent = b"\xc3\x01" + event.versions[0].fingerprint + body
    made = compile_event(event).minimize(sent, [lambda one: one], broker_ms)
    assert isinstance(made, list)
    assert made == minimize_event(event, sent, [lambda one: one], broker_ms)
    one = made[0]
    assert one is not None
    return one.value[10:] if isinstance(one, Minimized) else one.code


def moment(text: str) -> bytes:
    passed = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return varint(passed // timedelta(milliseconds=1))


@pytest.mark.parametrize(("days", "there"), [(0, True), (3, True), (-3, True), (4, False), (-4, False)])
def test_a_time_that_was_read_is_limited_by_its_arrival_too(days: int, there: bool) -> None:
    read_at = datetime.fromtimestamp(BROKER_MS // 1000 + days * 86_400, UTC)
    form = b"\x02" + varint((BROKER_MS + days * 86_400_000) // HOUR_MS * HOUR_MS) if there else b"\x00"
    for rule, value in (
        ("iso8601", read_at.isoformat().encode()),
        ("epoch_seconds", str(int(read_at.timestamp())).encode()),
        ("epoch_seconds", read_at.timestamp()),
    ):
        assert outcome(Truncate(HOUR_MS, 72 * HOUR_MS, rule), value) == form


HOSTILE = [
    b"", b" 1", b"1 ", b"1\n", b"+1", b"1_0", b"1e3", b"1e999", b"1E5", b"0x10", b"NaN", b"nan", b"inf", b"-inf",
    b"Infinity",
    b"1.", b".5", b"-", b"--1", b"01", b"-01", b"1,5", b"1.5.5", b"9" * 19, b"9" * 5_000, b"1." + b"0" * 19,
    "\u0661".encode(), "\uff11".encode(), "\u22121".encode(), b"1\x00", b"true", b"null",
]  # fmt: skip
NO_TIMES = [
    b"2016-12-31T23:59:60Z", b"2016-12-31T24:00:00Z", b"2026-02-29T00:00:00Z", b"2026-13-01T00:00:00Z",
    b"0000-01-01T00:00:00Z", b"10000-01-01T00:00:00Z", b"2026-01-01T00:00:00", b"2026-01-01 00:00:00Z",
    b"2026-01-01T00:00Z", b"2026-01-01T00:00:00z", b"2026-01-01t00:00:00Z", b"2026-01-01T00:00:00+24:00",
    b"2026-01-01T00:00:00+00:60", b"2026-01-01T00:00:00+1", b"2026-01-01T00:00:00+1:00", b"2026-01-01T00:00:00.Z",
    b"2026-01-01T00:00:00.0123456789Z", b"2026-01-01T00:00:00,5Z", b"20260101T000000Z", b"2026-W01-1T00:00:00Z",
    b"2026-001T00:00:00Z", b" 2026-01-01T00:00:00Z", b"2026-01-01T00:00:00Z\n", b"+2026-01-01T00:00:00Z",
    "2026-01-0\u0661T00:00:00Z".encode(), b"2026-1-1T0:0:0Z", b"2026-01-01", b"1790000000", *HOSTILE,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
@pytest.mark.parametrize("rule", ["whole", "parts", "seconds"])
def test_what_is_no_plain_decimal_is_not_read(rule: str, text: bytes) -> None:
    assert outcome(RULES[rule], text) == "unparsable"


@pytest.mark.parametrize("text", NO_TIMES, ids=lambda text: ascii(text[:32]))
def test_what_is_no_time_with_an_offset_is_not_read(text: bytes) -> None:
    assert outcome(ISO, text) == "unparsable"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e12, -1e12, 1e308])
def test_doubles_that_are_no_time_are_not_read(value: float) -> None:
    assert outcome(SECONDS, value) == "unparsable"


@pytest.mark.parametrize(
    ("action", "value"),
    [
        (ISO, b"9999-12-31T23:59:59-00:01"), (ISO, b"0001-01-01T00:00:00+00:01"), (SECONDS, b"253402300800"),
        (SECONDS, b"999999999999999999"), (SECONDS, -62_135_596_800.1), (SECONDS, 253_402_300_800.0), (WHOLE, b"-10.1"),
        (PARTS, b"-0.500001"),
    ],
)  # fmt: skip
def test_what_is_read_and_lies_out_of_bound_is_held_back(action: Action, value: bytes | float) -> None:
    assert outcome(action, value) == "out_of_range"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (b"2026-11-23T10:00:00.125Z", "2026-11-23T10:00:00+00:00"),
        (b"2016-01-13T22:42:18.871346+0000", "2016-01-13T22:42:18+00:00"),  # as Suricata writes it
        (b"2026-11-23T10:00:00+01:30", "2026-11-23T08:30:00+00:00"),
        (b"2026-11-23T10:00:00-0130", "2026-11-23T11:30:00+00:00"),
        (b"0001-01-01T00:00:00-00:00", "0001-01-01T00:00:00+00:00"),
        (b"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59+00:00"),
        (b"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59+00:00"),
    ],
)
def test_a_time_is_read_with_its_offset_and_floored(text: bytes, same: str) -> None:
    assert outcome(ISO, text) == moment(same)


def test_a_number_is_compared_exactly() -> None:
    assert outcome(WHOLE, b"9.999999999999999999") == varint(1)
    assert outcome(WHOLE, b"-0.000000000000000001") == varint(-10)
    assert outcome(WHOLE, b"99999999999999999.9") == varint(10)
    assert outcome(WHOLE, b"-0") == outcome(WHOLE, b"0") == varint(0)
    assert outcome(PARTS, b"0.7") == struct.pack("<d", 0.7)
    assert outcome(PARTS, b"0.699999999999999") == struct.pack("<d", 0.1)


def test_seconds_of_a_double_are_read_to_the_nearest_microsecond() -> None:
    assert Fraction(1_700_000_000.1) < Fraction(17_000_000_001, 10)  # the double lies below what its sender meant
    assert outcome(SECONDS, 1_700_000_000.1) == varint(1_700_000_000_100)
    assert outcome(SECONDS, b"1700000000.1") == varint(1_700_000_000_100)
    assert outcome(SECONDS, b"1700000000.099999999") == varint(1_700_000_000_000)


DIGITS = st.text("0123456789", min_size=1, max_size=20)
NUMBERS = st.one_of(
    st.decimals(-(10**18), 10**18, places=6).map(str),
    st.builds("{}{}.{}".format, st.sampled_from(("", "-", "+")), DIGITS, DIGITS),
    st.text("0123456789.-+eE_ ", max_size=12),
)
TIMES = st.one_of(
    st.builds(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{}".format,
        st.integers(0, 9_999), st.integers(0, 13), st.integers(0, 32), st.integers(0, 24), st.integers(0, 60),
        st.integers(0, 61), st.one_of(st.just(""), DIGITS.map(".{}".format)),
        st.one_of(
            st.sampled_from(("Z", "z", "", "+00:00", "-0000")),
            st.builds(
                "{}{:02}{}{:02}".format, st.sampled_from("+-"), st.integers(0, 24), st.sampled_from((":", "")),
                st.integers(0, 60),
            ),
        ),
    ),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda one: f"{one.isoformat()}Z"),  # noqa: DTZ001
    st.text("0123456789-T:.Z+", max_size=32),
)  # fmt: skip


@given(text=NUMBERS, rule=st.sampled_from(("whole", "parts", "seconds")))
def test_the_walk_reads_numbers_as_the_reference_does(text: str, rule: str) -> None:
    outcome(RULES[rule], text.encode())


@given(text=TIMES)
def test_the_walk_reads_times_as_the_reference_does(text: str) -> None:
    outcome(ISO, text.encode())


@given(value=st.one_of(st.floats(), st.floats(-1e12, 1e12), st.integers(0, 2 * 10**15).map(lambda one: one / 1e6)))
def test_the_walk_reads_doubles_as_the_reference_does(value: float) -> None:
    outcome(SECONDS, value)


@given(text=st.binary(max_size=12), rule=st.sampled_from(sorted(RULES)))
def test_bytes_that_are_no_text_are_the_events_fault_and_never_passed_on(text: bytes, rule: str) -> None:
    event = _event(RULES[rule], "string")
    sent = b"\xc3\x01" + event.versions[0].fingerprint + varint(len(text)) + text
    made = compile_event(event).minimize(sent, [lambda one: one], BROKER_MS)
    try:
        text.decode()
    except UnicodeDecodeError:
        assert made == Fault("utf8", "f")
    else:
        assert isinstance(made, list)
