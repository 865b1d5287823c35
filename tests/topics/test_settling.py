"""How far the record of changes is believed when it says that older records are there for a good reason."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.retention import FOREVER_MS
from pipelines.topics.judging import lives_ms
from pipelines.topics.promise import Promise, promises
from pipelines.topics.record import Done, applied_body, change_body
from pipelines.topics.recorded import Origin, Recorded, Settles
from pipelines.topics.settling import bounded
from pipelines.topics.state import AHEAD, CLOCK, OLDEST, RETENTION, SEGMENT, ClusterState
from pipelines.topics.steps import Step
from tests.topics.clusters import applied, changed
from tests.topics.contracts import MakeContract

WRITTEN_MS = 1_700_000_000_000
LATER_MS = WRITTEN_MS + 100 * 365 * DAY_MS


@pytest.fixture
def contract(make_contract: MakeContract) -> Contract:
    return make_contract(late_ms=6 * HOUR_MS)


@pytest.fixture
def kept(contract: Contract) -> ClusterState:
    return applied(contract)


@pytest.fixture
def promise(contract: Contract) -> Promise:
    (topic,) = contract.topics
    (found,) = (promise for promise in promises(contract) if promise.topic == topic)
    return found


def said(topic: str, kept_from_ms: int, lived_ms: int, *changes: Mapping[str, str]) -> Settles:
    """Return what an `applied` says after changes that replaced these settings."""
    record = Recorded()
    for before in changes:
        record.hear(change_body(Step("set", topic, dict.fromkeys(before, "1"), before)), WRITTEN_MS - 1, 3)
    done = Done({}, {topic: kept_from_ms}, {topic: lived_ms}, {}, {})
    record.hear({**applied_body(done), "by": "somebody"}, WRITTEN_MS, 4)
    return record.settles[topic]


def test_a_record_that_no_change_stands_before_excuses_nothing(promise: Promise, kept: ClusterState) -> None:
    found = bounded(said(promise.topic, LATER_MS, 9 * 10**12), promise, kept)
    assert found.lived_ms == lives_ms(promise, kept) <= promise.ttl_ms
    assert found.kept_from_ms - WRITTEN_MS < promise.ttl_ms + DAY_MS
    assert found.origin == Origin(4, "somebody")


def test_records_are_as_old_as_the_settings_that_a_change_replaced_let_them_become(
    promise: Promise, kept: ClusterState
) -> None:
    before = {RETENTION: str(9 * DAY_MS), SEGMENT: str(DAY_MS)}
    longer = changed(kept, promise.topic, before)
    found = bounded(said(promise.topic, LATER_MS, FOREVER_MS, before), promise, kept)
    assert found.lived_ms == lives_ms(promise, longer)
    assert found.kept_from_ms < LATER_MS
    assert bounded(said(promise.topic, WRITTEN_MS + HOUR_MS, 8 * DAY_MS, before), promise, kept) == said(
        promise.topic, WRITTEN_MS + HOUR_MS, 8 * DAY_MS, before
    )


@pytest.mark.parametrize(
    ("before", "lived_ms", "kept_from_ms"),
    [
        ({RETENTION: ""}, FOREVER_MS, None),  # it was inherited: nobody knows what the brokers said then
        ({CLOCK: "LogAppendTime"}, FOREVER_MS, None),
        ({AHEAD: str(FOREVER_MS)}, FOREVER_MS, LATER_MS),
        ({OLDEST: str(30 * DAY_MS)}, None, None),
    ],
)
def test_what_a_change_leaves_open_stays_as_it_is_recorded(
    promise: Promise,
    kept: ClusterState,
    before: Mapping[str, str],
    lived_ms: int | None,
    kept_from_ms: int | None,
) -> None:
    found = bounded(said(promise.topic, LATER_MS, FOREVER_MS, before), promise, kept)
    assert found.lived_ms == (lives_ms(promise, changed(kept, promise.topic, before)) if lived_ms is None else lived_ms)
    assert kept_from_ms is None or found.kept_from_ms == kept_from_ms


def test_changes_count_for_the_next_record_that_says_since_when_the_topic_is_kept(promise: Promise) -> None:
    record, topic, before = Recorded(), promise.topic, {RETENTION: str(9 * DAY_MS)}
    record.hear(change_body(Step("set", topic, {RETENTION: "1"}, before)), WRITTEN_MS)
    other = Done({}, {"audit.other": WRITTEN_MS}, {}, {}, {})
    record.hear(applied_body(other), WRITTEN_MS)  # another plan, while this one was interrupted
    mine = applied_body(Done({}, {topic: LATER_MS}, {}, {}, {}))
    record.hear(mine, WRITTEN_MS)
    assert record.settles[topic].was == {RETENTION: 9 * DAY_MS}
    again = Recorded()
    for _ in range(2):
        again.hear(mine, WRITTEN_MS)
    assert again.settles[topic].was == {}
    record.hear(change_body(Step("create", topic, {}, {}, 1, 1)), WRITTEN_MS)
    assert record.replaced == {}
