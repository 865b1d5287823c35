"""Faults put in on purpose: each must be caught by the check that the named test runs.

`check_noninterference` is what `test_raw_times_within_one_step_give_equal_timestamps_and_headers` runs,
`check_headers_are_exactly` what `test_the_headers_are_these_and_no_more` runs.
"""

from collections.abc import Callable
from functools import partial

import pytest

from pipelines.contract.model import HOUR_MS, MINUTE_MS
from pipelines.envelope import Envelope, Headers

Check = Callable[..., None]
New = Callable[..., Envelope]

START_MS = 1_793_016_000_000
TIMES = {"step_ms": HOUR_MS, "start_ms": START_MS, "one_ms": 1, "other_ms": HOUR_MS - 1}


class ExactTimeInAHeader(Envelope):
    """The record's time is floored, but a header of the usual name keeps the exact one."""

    __slots__ = ("_exact",)

    def floor(self, timestamp_ms: int) -> int:
        self._exact = timestamp_ms
        return super().floor(timestamp_ms)

    def headers(self, floored_ms: int, epoch_start_ms: int | None) -> Headers:
        *others, (name, expiry) = super().headers(floored_ms, epoch_start_ms)
        return [*others, (name, expiry + b"%d" % self._exact)]


class OneHeaderMore(Envelope):
    """CloudEvents' own `time`."""

    __slots__ = ()

    def headers(self, floored_ms: int, epoch_start_ms: int | None) -> Headers:
        return [*super().headers(floored_ms, epoch_start_ms), ("ce_time", b"2026-10-26T12:00:00Z")]


def test_without_a_fault_the_checks_pass(
    check_noninterference: Check, check_headers_are_exactly: Check, new_envelope: New
) -> None:
    check_noninterference(new_envelope, **TIMES)
    check_headers_are_exactly(new_envelope(), START_MS, has_handle=True)


def test_the_exact_time_in_a_header_is_caught(check_noninterference: Check, new_envelope: New) -> None:
    with pytest.raises(AssertionError):
        check_noninterference(partial(new_envelope, kind=ExactTimeInAHeader), **TIMES)


@pytest.mark.parametrize("finer_ms", [1, MINUTE_MS])
def test_a_time_that_is_finer_than_the_views_step_is_caught(
    check_noninterference: Check, new_envelope: New, finer_ms: int
) -> None:
    with pytest.raises(AssertionError):
        check_noninterference(lambda _step_ms: new_envelope(finer_ms), **TIMES)


def test_one_header_more_is_caught(check_headers_are_exactly: Check, new_envelope: New) -> None:
    with pytest.raises(AssertionError):
        check_headers_are_exactly(new_envelope(kind=OneHeaderMore), START_MS, has_handle=True)
