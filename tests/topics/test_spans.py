"""Spans and times in words: whatever number comes, a sentence comes out, and no limit is printed as a length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.retention import FOREVER_MS
from pipelines.topics.spans import after, at_ms, lasting, moment, span

numbers = st.one_of(
    st.integers(-(2**65), 2**65), st.sampled_from([FOREVER_MS, FOREVER_MS - 1, FOREVER_MS // 1000 * 1000])
)
times = st.integers(0, 253_402_300_799_000)  # up to the calendar's last second


@given(numbers, numbers)
def test_no_number_is_a_fault_of_the_program(one: int, other: int) -> None:
    assert span(one)
    assert lasting(one)
    assert moment(one)
    ends = after(one, other)
    assert ends is None or moment(ends)


@given(st.integers(0, FOREVER_MS // 4))
def test_what_comes_near_kafkas_longest_is_without_end(less: int) -> None:
    """Kafka's limits near 2**63, rounded, shortened by a delay, or longer by one."""
    for endless in (FOREVER_MS - less, (FOREVER_MS - less) // 1000 * 1000, FOREVER_MS + less):
        assert (span(endless), lasting(endless), moment(endless)) == ("forever", "forever", "never")
        assert after(0, endless) is None


@given(times)
def test_a_time_is_read_back_as_it_was_written_up_to_the_next_second(time_ms: int) -> None:
    assert at_ms(moment(time_ms)) == -(-time_ms // 1000) * 1000


def test_a_span_is_said_for_so_long() -> None:
    assert lasting(90_000) == "for 1 m 30 s"
