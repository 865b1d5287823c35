"""What verify makes of records that are dated in the future; what `consume` prints of a time beyond the calendar."""

from __future__ import annotations

import pytest

from pipelines.broker import Offset, Partition
from pipelines.cli.times import spelled, spelled_whole
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.topics.judging import Breach
from pipelines.topics.promise import Promise, promises
from pipelines.topics.recorded import Settles
from pipelines.topics.state import ClusterState
from pipelines.topics.verifying import Figures, Settling, Verdict, ahead_of, too_far_ahead, verdict_lines
from tests.topics.clusters import applied
from tests.topics.contracts import MakeContract

NOW_MS = 1_700_000_000_000
SLACK_MS = 60_000


@pytest.fixture
def contract(make_contract: MakeContract) -> Contract:
    return make_contract(late_ms=6 * HOUR_MS)


@pytest.fixture
def kept(contract: Contract) -> ClusterState:
    return applied(contract)


def promised(contract: Contract) -> Promise:
    (topic,) = contract.topics
    (found,) = (promise for promise in promises(contract) if promise.topic == topic)
    return found


def judged(
    contract: Contract, state: ClusterState, ahead_ms: int, change: Settles | None = None
) -> list[Breach | Settling]:
    promise = promised(contract)
    furthest: dict[Partition, Offset | None] = {
        (promise.topic, 0): Offset(7, NOW_MS + ahead_ms),
        (promise.topic, 1): Offset(-1, None),
        (promise.topic, 2): None,
        ("audit.other", 0): Offset(1, NOW_MS + 999 * DAY_MS),
    }
    return list(too_far_ahead(promise, state, ahead_of(promise.topic, furthest, NOW_MS), change, NOW_MS))


def test_what_brokers_let_in_and_clocks_that_differ_are_no_breach(contract: Contract, kept: ClusterState) -> None:
    assert judged(contract, kept, -HOUR_MS) == judged(contract, kept, 2 * SLACK_MS) == []
    (breach,) = judged(contract, kept, 2 * SLACK_MS + 1)
    assert isinstance(breach, Breach)
    assert (breach.code, breach.topic) == ("ahead", promised(contract).topic)
    assert "partition 0 (offset 7) is dated 2 m 1 ms ahead" in breach.message


def test_a_record_from_before_a_change_settles_only_if_it_is_gone_by_the_time_that_was_recorded(
    contract: Contract, kept: ClusterState
) -> None:
    live = kept.kept(promised(contract).topic)
    gone_ms = live.retention_ms + live.segment_ms + 300_000 + 60_000 + SLACK_MS
    change = Settles(NOW_MS + HOUR_MS + gone_ms, 9 * DAY_MS)
    assert judged(contract, kept, HOUR_MS, change) == [
        Settling(promised(contract).topic, 0, change.kept_from_ms, HOUR_MS)
    ]
    (breach,) = judged(contract, kept, HOUR_MS + SLACK_MS + 1, change)
    assert isinstance(breach, Breach)


def test_no_line_calls_a_time_in_the_future_an_age() -> None:
    figures = (Figures("audit.a", DAY_MS, DAY_MS, 0, 999_999_999_999_000), Figures("audit.b", DAY_MS, DAY_MS, 5_000, 0))
    settling = Settling("audit.a", 0, NOW_MS, HOUR_MS)
    lines = list(verdict_lines(Verdict(NOW_MS, figures, (), (), (settling,), (), (), {})))
    assert "forever" not in "\n".join(lines)
    assert lines[0].startswith("SETTLING audit.a: a record is dated 1 h ahead")
    assert lines[2].endswith(" ahead")
    assert lines[3].endswith(" 5 s")


@pytest.mark.parametrize("timestamp_ms", [1_794_141_259_069_521, 2**63 - 1, -(2**63)])
def test_a_time_beyond_the_calendar_is_printed_as_its_number(timestamp_ms: int) -> None:
    assert spelled(timestamp_ms) == spelled_whole(timestamp_ms) == f"{timestamp_ms} ms since 1970"


def test_a_time_is_printed_as_it_was_before() -> None:
    assert spelled(1_500) == "1970-01-01T00:00:01Z"
    assert spelled_whole(1_500) == "1970-01-01T00:00:01.500000Z"
    assert spelled_whole(1_000) == "1970-01-01T00:00:01Z"
