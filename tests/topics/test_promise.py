from dataclasses import replace

import pytest

from pipelines.contract.model import DAY_MS, HOUR_MS
from pipelines.retention import BrokerTimes, TooShort, worst_case_ms
from pipelines.topics.promise import UNPACKED, Clock, Promise, promises, replicas, settings

TIMES = BrokerTimes()
RAW = Promise("raw.a.b", 1, DAY_MS, 0, 0, Clock.BROKER, compression=UNPACKED)
MINIMIZED = Promise("audit.a", 1, 2 * DAY_MS, DAY_MS, HOUR_MS, Clock.RECORD)


def computed(promise: Promise, times: BrokerTimes = TIMES, brokers: int = 1) -> dict[str, str]:
    found = settings(promise, times, brokers)
    assert not isinstance(found, TooShort)
    return found


@pytest.mark.parametrize("promise", [RAW, MINIMIZED], ids=["raw", "minimized"])
def test_a_record_is_gone_by_the_end_of_its_ttl(promise: Promise) -> None:
    found = computed(promise)
    retention_ms, segment_ms = int(found["retention.ms"]), int(found["segment.ms"])
    assert worst_case_ms(retention_ms, segment_ms, promise.late_ms, promise.step_ms, TIMES) <= promise.ttl_ms
    assert (found["cleanup.policy"], found["segment.jitter.ms"]) == ("delete", "0")


def test_raw_times_are_the_brokers_and_minimized_times_the_records() -> None:
    assert computed(RAW)["message.timestamp.type"] == "LogAppendTime"
    assert computed(MINIMIZED)["message.timestamp.type"] == "CreateTime"


def test_a_minimized_record_may_be_no_more_ahead_than_clocks_differ_and_no_older_than_late_allows() -> None:
    found = computed(MINIMIZED)
    assert int(found["message.timestamp.after.max.ms"]) <= 60_000
    oldest_ms = int(found["message.timestamp.before.max.ms"])
    assert MINIMIZED.late_ms + MINIMIZED.step_ms < oldest_ms < MINIMIZED.ttl_ms
    assert not [name for name in computed(RAW) if name.startswith("message.timestamp.") and name.endswith("max.ms")]


def test_the_files_delay_is_written_down_so_that_a_brokers_new_default_changes_nothing() -> None:
    assert computed(RAW, BrokerTimes(delete_delay_ms=1234))["file.delete.delay.ms"] == "1234"


def test_brokers_unpack_raw_batches_and_leave_others_to_the_relay_unless_the_contract_names_a_codec() -> None:
    assert computed(RAW)["compression.type"] == "uncompressed"
    assert "compression.type" not in computed(MINIMIZED)
    assert computed(replace(MINIMIZED, compression="gzip"))["compression.type"] == "gzip"


@pytest.mark.parametrize(("brokers", "expected"), [(1, (1, 1)), (2, (2, 1)), (3, (3, 2)), (9, (3, 2))])
def test_a_topic_has_three_replicas_where_there_are_three_brokers(brokers: int, expected: tuple[int, int]) -> None:
    assert replicas(brokers) == expected
    assert computed(RAW, brokers=brokers)["min.insync.replicas"] == str(expected[1])


def test_slower_brokers_mean_a_shorter_retention() -> None:
    slow = computed(RAW, BrokerTimes(check_interval_ms=HOUR_MS))
    assert int(slow["retention.ms"]) < int(computed(RAW)["retention.ms"])


def test_a_ttl_that_no_settings_keep_gives_the_shortest_that_some_do() -> None:
    hasty = Promise("audit.a", 1, DAY_MS, DAY_MS, HOUR_MS, Clock.RECORD)
    found = settings(hasty, TIMES, 1)
    assert isinstance(found, TooShort)
    patient = Promise("audit.a", 1, found.shortest_ttl_ms, DAY_MS, HOUR_MS, Clock.RECORD)
    assert not isinstance(settings(patient, TIMES, 1), TooShort)


def test_every_topic_of_the_contract_has_a_promise(make_contract: object) -> None:
    contract = make_contract()  # type: ignore[operator]
    found = {promise.topic: promise for promise in promises(contract)}
    assert found.keys() == {*contract.raw_topics, *contract.topics, contract.quarantine.name, contract.changes.name}
    for name in contract.raw_topics:
        assert (found[name].late_ms, found[name].step_ms, found[name].clock) == (0, 0, Clock.BROKER)
        assert found[name].compression == UNPACKED
    assert found[contract.quarantine.name].clock is Clock.BROKER
