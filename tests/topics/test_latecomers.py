"""Records that came late while they might, under a contract that no longer lets them: until when they may be there."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, ChangesTopic, Contract, QuarantineTopic, RawTopic, Topic
from pipelines.topics.planning import plan
from tests.topics.clusters import applied
from tests.topics.conftest import BASIS, HERE

NAME = "audit.latecomers"


def contract(ttl_ms: int, late_ms: int) -> Contract:
    minimized = Topic(NAME, ttl_ms, late_ms, 1, (), BASIS, HERE)
    raw = RawTopic("raw.late.session", "late.session", DAY_MS, 1, (), HERE)
    quarantine = QuarantineTopic("quarantine-late", 7 * DAY_MS, 1, (), HERE)
    changes = ChangesTopic("audit.changes-late")
    return Contract({}, {}, {NAME: minimized}, {raw.name: raw}, quarantine, b"late", changes=changes)


@given(
    st.integers(2 * DAY_MS, 30 * DAY_MS),
    st.integers(2 * DAY_MS, 30 * DAY_MS),
    st.integers(0, DAY_MS),
    st.integers(0, DAY_MS),
)
def test_a_plan_says_until_when_what_came_late_before_may_outlive_its_ttl(
    ttl_before_ms: int, ttl_ms: int, late_before_ms: int, late_ms: int
) -> None:
    before = applied(contract(ttl_before_ms, late_before_ms))
    planned = plan(contract(ttl_ms, late_ms), before)
    entry = next((each for each in planned.entries if each.topic == NAME), None)
    now = applied(contract(ttl_ms, late_ms), before)
    kept, times = now.kept(NAME), before.times
    # The last record that the old plan let in, as old as it might be, at the very moment of the change.
    stays_ms = kept.segment_ms + kept.retention_ms + times.look_ms + times.delete_delay_ms
    if late_before_ms + stays_ms > ttl_ms:
        assert entry is not None
        assert entry.settled_after_ms is not None
        assert entry.settled_after_ms >= stays_ms
    elif late_ms == late_before_ms and ttl_ms >= ttl_before_ms:
        assert entry is None or entry.settled_after_ms is None
