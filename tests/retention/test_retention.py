"""The arithmetic of retention: the promise is kept, and no TTL is refused that could be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import retention
from pipelines.retention import BrokerTimes, TooShort, TopicSettings

HOUR = 3_600_000
DAY = 24 * HOUR

spans = st.integers(0, 90 * DAY)
ttls = st.integers(-DAY, 800 * DAY)
broker_times = st.builds(
    BrokerTimes,
    st.integers(0, DAY),
    *(st.integers(0, HOUR) for _ in ("initial", "delete", "sweep", "timeout", "slack")),
)
BARE = {"sweep_ms": 0, "transaction_timeout_ms": 0, "slack_ms": 0}  # what was measured had none of these to wait for


@given(ttls, spans, spans, broker_times)
def test_settings_never_keep_a_record_longer_than_its_ttl(ttl: int, late: int, step: int, times: BrokerTimes) -> None:
    match retention.minimized(ttl, late, step, times):
        case TopicSettings(retention_ms, segment_ms):
            assert retention.worst_case_ms(retention_ms, segment_ms, late, step, times) <= ttl
            assert retention_ms >= retention.LEAST_RETENTION_MS
            assert segment_ms >= retention.LEAST_SEGMENT_MS
        case TooShort(shortest):
            assert shortest > ttl


@given(ttls, spans, spans, broker_times)
def test_no_millisecond_of_the_ttl_is_wasted(ttl: int, late: int, step: int, times: BrokerTimes) -> None:
    settings = retention.minimized(ttl, late, step, times)
    if isinstance(settings, TopicSettings):
        worst = retention.worst_case_ms(settings.retention_ms, settings.segment_ms, late, step, times)
        assert worst == ttl


@given(spans, spans, broker_times)
def test_the_shortest_ttl_works_and_one_millisecond_less_does_not(late: int, step: int, times: BrokerTimes) -> None:
    refused = retention.minimized(0, late, step, times)
    assert isinstance(refused, TooShort)
    assert isinstance(retention.minimized(refused.shortest_ttl_ms, late, step, times), TopicSettings)
    assert retention.minimized(refused.shortest_ttl_ms - 1, late, step, times) == refused


@given(ttls, st.integers(0, 400 * DAY), spans, spans, broker_times)
def test_a_longer_ttl_never_gives_shorter_settings(
    ttl: int, more: int, late: int, step: int, times: BrokerTimes
) -> None:
    shorter = retention.minimized(ttl, late, step, times)
    longer = retention.minimized(ttl + more, late, step, times)
    if isinstance(shorter, TopicSettings):
        assert isinstance(longer, TopicSettings)
        assert longer.retention_ms >= shorter.retention_ms
        assert longer.segment_ms >= shorter.segment_ms


@given(ttls, broker_times)
def test_raw_and_quarantine_topics_have_no_lateness_and_no_step(ttl: int, times: BrokerTimes) -> None:
    assert retention.raw(ttl, times) == retention.minimized(ttl, 0, 0, times) == retention.quarantine(ttl, times)


@pytest.mark.parametrize(
    ("retention_s", "segment_s", "look_s", "measured_s"),
    [
        pytest.param(8, 4, 1, 13.4, id="idle"),
        pytest.param(8, 4, 1, 13.7, id="busy, transactional or not"),
        pytest.param(8, 4, 1, 9.3, id="last record a marker"),
        pytest.param(8, 4, 1, 9.1, id="hung transaction"),
        pytest.param(8, 4, 30, 40.9, id="kill -9 and restart: the pass waits for the initial delay"),
    ],
)
def test_the_bound_holds_what_a_real_broker_was_seen_to_do(
    retention_s: int, segment_s: int, look_s: int, measured_s: float
) -> None:
    times = BrokerTimes(check_interval_ms=1_000, initial_delay_ms=look_s * 1_000, delete_delay_ms=1_000, **BARE)
    bound = retention.worst_case_ms(retention_s * 1_000, segment_s * 1_000, 0, 0, times)
    assert bound == (retention_s + segment_s + look_s + 1) * 1_000
    assert measured_s * 1_000 <= bound


def test_the_bound_holds_for_a_relay_that_was_15_seconds_behind() -> None:
    times = BrokerTimes(check_interval_ms=1_000, initial_delay_ms=0, delete_delay_ms=1_000, **BARE)
    bound = retention.worst_case_ms(20_000, 5_000, 15_000, 0, times)
    assert bound >= 25_800  # as seen under CreateTime of the raw record
    assert bound >= 40_900  # and under LogAppendTime


def test_a_ttl_that_was_cut_under_a_long_segment_is_bounded_by_that_segments_span() -> None:
    """Seen: 47.8 s on disk after a cut from 60 to 8 s. The new settings alone cannot explain it; the old span does."""
    times = BrokerTimes(check_interval_ms=1_000, initial_delay_ms=0, delete_delay_ms=1_000, **BARE)
    before, after = TopicSettings(60_000, 60_000), TopicSettings(8_000, 4_000)
    assert retention.worst_case_ms(after.retention_ms, after.segment_ms, 0, 0, times) < 47_800
    assert before.segment_ms + retention.settled_after_ms(before, after, times) >= 47_800


@given(ttls, spans, spans, broker_times)
def test_settings_come_back_as_the_ttl_that_they_were_made_for(
    ttl: int, late: int, step: int, times: BrokerTimes
) -> None:
    made = retention.minimized(ttl, late, step, times)
    if isinstance(made, TopicSettings):
        lives = retention.worst_case_ms(made.retention_ms, made.segment_ms, late, step, times)
        assert retention.minimized(lives, late, step, times) == made


FIELDS = ("check_interval_ms", "initial_delay_ms", "delete_delay_ms", "sweep_ms", "transaction_timeout_ms", "slack_ms")


@given(spans, spans, spans, spans, broker_times, st.sampled_from(FIELDS), st.integers(1, DAY), spans)
def test_no_delay_that_grows_makes_the_worst_case_better(
    kept: int, segment: int, late: int, step: int, times: BrokerTimes, field: str, more: int, ahead: int
) -> None:
    slower = replace(times, **{field: getattr(times, field) + more})
    was = retention.worst_case_ms(kept, segment, late, step, times, ahead_ms=ahead)
    assert retention.worst_case_ms(kept, segment, late, step, slower, ahead_ms=ahead) >= was
    for worse in (
        (kept + more, segment, late, step),
        (kept, segment + more, late, step),
        (kept, segment, late + more, step),
    ):
        assert retention.worst_case_ms(*worse, times, ahead_ms=ahead) == was + more
    assert retention.worst_case_ms(kept, segment, late, step + more, times, ahead_ms=ahead) == was + more
    assert retention.worst_case_ms(kept, segment, late, step, times, ahead_ms=ahead + more) >= was


@given(broker_times, st.sampled_from(FIELDS[2:]), st.integers(1, DAY))
def test_every_delay_that_comes_on_top_counts_in_full(times: BrokerTimes, field: str, more: int) -> None:
    was = retention.worst_case_ms(DAY, HOUR, HOUR, HOUR, times)
    slower = replace(times, **{field: getattr(times, field) + more})
    assert retention.worst_case_ms(DAY, HOUR, HOUR, HOUR, slower) == was + more


@given(broker_times)
def test_of_the_waits_for_a_retention_pass_the_longer_one_counts(times: BrokerTimes) -> None:
    apart = max(times.check_interval_ms, times.initial_delay_ms)
    same = replace(times, check_interval_ms=apart, initial_delay_ms=apart)
    bound = retention.worst_case_ms(DAY, HOUR, 0, 0, times)
    assert bound == retention.worst_case_ms(DAY, HOUR, 0, 0, same)
    none = replace(times, check_interval_ms=0, initial_delay_ms=0)
    assert bound == retention.worst_case_ms(DAY, HOUR, 0, 0, none) + apart


@given(ttls, spans, spans, broker_times, st.sampled_from(FIELDS), st.integers(1, DAY))
def test_slower_brokers_never_get_longer_settings(
    ttl: int, late: int, step: int, times: BrokerTimes, field: str, more: int
) -> None:
    slower = replace(times, **{field: getattr(times, field) + more})
    one, other = retention.minimized(ttl, late, step, times), retention.minimized(ttl, late, step, slower)
    if isinstance(other, TopicSettings):
        assert isinstance(one, TopicSettings)
        assert other.retention_ms + other.segment_ms <= one.retention_ms + one.segment_ms
    elif isinstance(one, TooShort):
        assert other.shortest_ttl_ms >= one.shortest_ttl_ms


def test_what_is_ahead_of_the_clock_counts_beyond_the_slack() -> None:
    times = BrokerTimes()
    usual = retention.worst_case_ms(DAY, HOUR, 0, 0, times)
    assert retention.worst_case_ms(DAY, HOUR, 0, 0, times, ahead_ms=times.slack_ms) == usual
    assert retention.worst_case_ms(DAY, HOUR, 0, 0, times, ahead_ms=HOUR) == usual + HOUR - times.slack_ms
    assert retention.worst_case_ms(DAY, HOUR, 0, 0, times, ahead_ms=2**63 - 1) == retention.FOREVER_MS


@pytest.mark.parametrize(
    ("before", "ahead", "more"),
    [
        pytest.param(TopicSettings(2 * DAY, HOUR), 0, 0, id="only retention was cut"),
        pytest.param(TopicSettings(DAY, HOUR), 0, 0, id="nothing was cut"),
        pytest.param(TopicSettings(-1, HOUR), 0, 0, id="nothing was deleted before"),
        pytest.param(TopicSettings(2 * DAY, 2 * HOUR), 0, DAY, id="segments were longer"),
        pytest.param(TopicSettings(2 * DAY, HOUR), HOUR, DAY + HOUR + HOUR - 60_000, id="records could be ahead"),
    ],
)
def test_old_segments_delay_a_new_promise_by_no_more_than_they_must(
    before: TopicSettings, ahead: int, more: int
) -> None:
    after = TopicSettings(DAY, HOUR)
    times = BrokerTimes()
    soonest = 300_000 + 60_000 + 60_000
    assert retention.settled_after_ms(before, after, times, ahead_ms=ahead) == soonest + more


@given(ttls, spans, spans, broker_times)
def test_a_partitions_segments_span_all_that_is_kept(ttl: int, late: int, step: int, times: BrokerTimes) -> None:
    made = retention.minimized(ttl, late, step, times)
    if isinstance(made, TopicSettings):
        count = retention.segments(made.retention_ms, made.segment_ms, times)
        assert (count - 1) * made.segment_ms >= made.retention_ms + times.look_ms + times.delete_delay_ms


def test_so_many_segments_that_a_broker_can_hardly_map_them_are_too_many() -> None:
    assert not retention.too_many(16_382)
    assert retention.too_many(16_383)  # two files each are half of the 65,530 that Linux allows by default


def test_lateness_and_step_are_both_subtracted() -> None:
    plain = retention.minimized(2 * DAY, 0, 0, BrokerTimes())
    assert isinstance(plain, TopicSettings)
    for late, step in ((HOUR, 0), (0, HOUR)):
        less = retention.minimized(2 * DAY, late, step, BrokerTimes())
        assert isinstance(less, TopicSettings)
        assert less.retention_ms + less.segment_ms == plain.retention_ms + plain.segment_ms - HOUR


def test_retention_without_limit_is_worse_than_any_promise() -> None:
    assert retention.worst_case_ms(-1, 1, 0, 0, BrokerTimes()) == retention.FOREVER_MS


def test_segments_stay_small_beside_a_usual_ttl() -> None:
    for ttl in (DAY, 7 * DAY, 400 * DAY):
        settings = retention.minimized(ttl, HOUR, HOUR, BrokerTimes())
        assert isinstance(settings, TopicSettings)
        assert settings.retention_ms >= ttl * 8 // 10
        assert settings.retention_ms // settings.segment_ms < 70


@pytest.mark.parametrize("negative", [(-1, 0), (0, -1)])
def test_negative_spans_are_refused(negative: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        retention.minimized(DAY, *negative, BrokerTimes())
    for field in FIELDS:
        with pytest.raises(ValueError, match="negative"):
            BrokerTimes(**{field: -1})
