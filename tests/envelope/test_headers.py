from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS, View
from pipelines.envelope import Envelope

Check = Callable[..., None]
New = Callable[..., Envelope]

times = st.integers(0, 4_000_000_000_000)
steps = st.sampled_from([MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS])
NOON_MS = 1_793_016_000_000  # 2026-10-26T12:00:00Z


@given(steps, times, times, times)
def test_raw_times_within_one_step_give_equal_timestamps_and_headers(
    check_noninterference: Check, new_envelope: New, step: int, start: int, one: int, other: int
) -> None:
    check_noninterference(new_envelope, step, start, one, other)


@given(raw=times, has_handle=st.booleans())
def test_the_headers_are_these_and_no_more(
    check_headers_are_exactly: Check, new_envelope: New, *, raw: int, has_handle: bool
) -> None:
    check_headers_are_exactly(new_envelope(), raw, has_handle=has_handle)


def test_a_record_with_a_handle_says_this(new_envelope: New) -> None:
    assert new_envelope().headers(NOON_MS, NOON_MS - 12 * HOUR_MS) == [
        ("ce_specversion", b"1.0"),
        ("ce_source", b"vpn"),
        ("ce_type", b"vpn.session"),
        ("content-type", b"application/avro"),
        ("ce_purpose", b"security-enforcement"),
        ("ce_policyversion", b"0123456789ab"),
        ("ce_handleepoch", b"2026-10-26T00:00:00Z"),
        ("ce_expirytime", b"2026-10-28T12:00:00Z"),
    ]


def test_a_record_without_a_handle_tells_no_epoch(new_envelope: New) -> None:
    envelope = new_envelope()
    with_handle, without = dict(envelope.headers(NOON_MS, 0)), dict(envelope.headers(NOON_MS, None))
    assert with_handle.pop("ce_handleepoch")
    assert with_handle == without


@given(times, steps, st.integers(0, 800 * DAY_MS))
def test_a_record_expires_a_ttl_after_its_floored_time(new_envelope: New, raw: int, step: int, ttl: int) -> None:
    envelope = new_envelope(step, ttl_ms=ttl)
    floored = envelope.floor(raw)
    expiry = dict(envelope.headers(floored, 0))["ce_expirytime"].decode("ascii")
    assert expiry.endswith("Z")
    assert round(datetime.fromisoformat(expiry).timestamp() * 1000) == floored + ttl


@given(st.integers(-(2**53), 2**53), steps)
def test_a_floored_time_is_the_last_step_before(new_envelope: New, raw: int, step: int) -> None:
    floored = new_envelope(step).floor(raw)
    assert floored % step == 0
    assert 0 <= raw - floored < step


@given(times, st.integers(1, HOUR_MS - 1))
def test_headers_of_an_exact_time_are_refused(new_envelope: New, raw: int, more: int) -> None:
    envelope = new_envelope()
    with pytest.raises(ValueError, match="floored"):
        envelope.headers(envelope.floor(raw) + more, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=40))
def test_headers_that_fell_out_of_the_cache_come_back_the_same(
    new_envelope: New, wanted: list[tuple[int, int]]
) -> None:
    tight = new_envelope(most_cached=2)
    for hour, day in wanted:
        assert tight.headers(hour * HOUR_MS, day * DAY_MS) == new_envelope().headers(hour * HOUR_MS, day * DAY_MS)
    assert len(tight._cached) <= 2


def test_headers_are_made_once_for_a_step(new_envelope: New) -> None:
    envelope = new_envelope()
    assert envelope.headers(NOON_MS, 0) is envelope.headers(NOON_MS, 0)


@pytest.mark.parametrize("floored", [2**53 // HOUR_MS * HOUR_MS, -(2**53) // HOUR_MS * HOUR_MS, HOUR_MS * 2**80])
def test_a_time_that_has_no_calendar_is_a_value_error(new_envelope: New, floored: int) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        new_envelope().headers(floored, 0)


def test_source_and_purpose_come_from_the_contract_alone(new_view: Callable[..., View]) -> None:
    view = new_view(topic="audit.network-policy-review")
    envelope = Envelope(view, event_source="tor", ttl_ms=1, policy_version="a" * 12)
    said = dict(envelope.headers(0, 0))
    assert said["ce_source"] == b"tor"
    assert said["ce_purpose"] == b"network-policy-review"
    assert said["ce_expirytime"] == b"1970-01-01T00:00:00.001Z"
