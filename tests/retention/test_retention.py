"""The arithmetic of retention: the promise is kept, and no TTL is refused that could be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import retention
from pipelines.retention import BrokerTimes, TooShort, TopicSettings

HOUR = 3_600_000
DAY = 24 * HOUR

spans = st.integers(0, 90 * DAY)
ttls = st.integers(-DAY, 800 * DAY)
broker_times = st.builds(BrokerTimes, st.integers(0, DAY), st.integers(0, HOUR), st.integers(0, HOUR))
FIXED = retention.TRANSACTION_TIMEOUT_MS + retention.SWEEP_MS + retention.SLACK_MS


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
    times = BrokerTimes(check_interval_ms=1_000, initial_delay_ms=look_s * 1_000, delete_delay_ms=1_000)
    bound = retention.worst_case_ms(retention_s * 1_000, segment_s * 1_000, 0, 0, times) - FIXED
    assert bound == (retention_s + segment_s + look_s + 1) * 1_000
    assert measured_s * 1_000 <= bound


def test_the_bound_holds_for_a_relay_that_was_15_seconds_behind() -> None:
    times = BrokerTimes(check_interval_ms=1_000, initial_delay_ms=0, delete_delay_ms=1_000)
    bound = retention.worst_case_ms(20_000, 5_000, 15_000, 0, times) - FIXED
    assert bound >= 25_800  # as seen under CreateTime of the raw record
    assert bound >= 40_900  # and under LogAppendTime


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
    with pytest.raises(ValueError, match="negative"):
        BrokerTimes(*negative)
