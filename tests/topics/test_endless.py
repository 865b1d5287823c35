"""Topics that took records ahead of the clock without end (as by default in Kafka 3.6), and clusters that hide all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from pipelines.broker import Admin, Setting, Source, TopicInfo
from pipelines.contract.model import HOUR_MS, Contract
from pipelines.retention import FOREVER_MS
from pipelines.topics.applying import Applied, apply
from pipelines.topics.document import document
from pipelines.topics.latecomers import HeldBack
from pipelines.topics.looking import look_around
from pipelines.topics.planning import plan
from pipelines.topics.record import Done, applied_body
from pipelines.topics.recorded import Recorded, Settles
from pipelines.topics.state import AHEAD, USUAL, ClusterState, TopicState
from pipelines.topics.telling import applied_lines, plan_lines
from pipelines.topics.verifying import Figures, Verdict, verdict_lines
from pipelines.trouble import Exit, Trouble
from tests.support.memory_kafka import MemoryCluster
from tests.topics.contracts import MakeContract


@pytest.fixture
def contract(make_contract: MakeContract) -> Contract:
    return make_contract(late_ms=6 * HOUR_MS)


def test_from_when_a_topic_with_records_ahead_without_end_keeps_its_promise_cannot_be_told(contract: Contract) -> None:
    raw = next(iter(contract.raw_topics))
    endless = {**USUAL, AHEAD: Setting(str(FOREVER_MS), Source.DEFAULT)}
    planned = plan(contract, ClusterState({1: endless}, {raw: TopicState(2, 1, {})}))
    (entry,) = (entry for entry in planned.entries if entry.topic == raw)
    assert entry.settled_after_ms == FOREVER_MS
    (said,) = (line for line in plan_lines(planned) if "is unknown" in line)
    assert "ahead of the clock" in said
    assert orjson.dumps(document(planned, None))


def test_what_cannot_be_told_is_recorded_so_and_settles_nothing() -> None:
    body = orjson.loads(orjson.dumps(applied_body(Done({}, {"raw.a.b": None}, {"raw.a.b": FOREVER_MS}, {}, {}))))
    assert body["kept_from"] == {"raw.a.b": None}
    said = Recorded()
    said.hear(applied_body(Done({}, {"audit.a": 5 * HOUR_MS}, {"audit.a": 9}, {}, {})), HOUR_MS)
    said.hear(body, HOUR_MS)
    assert said.settles == {"audit.a": Settles(5 * HOUR_MS, 9, HOUR_MS)}
    applied = Applied("p", (), (), {"raw.a.b": None, "audit.a": 0}, (), {"audit.a": None})
    lines = list(applied_lines(applied))
    assert [line.partition(":")[0] for line in lines] == ["audit.a", "raw.a.b", "audit.a"]
    assert "kept from 1970-01-01T00:00:00Z" in lines[0]
    assert "unknown" in lines[1]
    assert "never" in lines[2]


def test_a_verdict_says_for_ever_and_never_where_there_is_no_end() -> None:
    held = HeldBack({"retention.ms": "1"}, FOREVER_MS, FOREVER_MS + HOUR_MS, FOREVER_MS)
    figures = (Figures("audit.a", HOUR_MS, FOREVER_MS, 1), Figures("audit.b", HOUR_MS, FOREVER_MS - 1, None))
    lines = "\n".join(verdict_lines(Verdict(0, figures, (), (), (), (), (), {"audit.a": held})))
    assert (lines.count("forever"), lines.count("never")) == (2, 1)
    assert " d " not in lines


class Forgetful(MemoryCluster):
    """A cluster that takes what is asked for, and shows no topic."""

    def admin(self, **limits: Any) -> Admin:
        real = super().admin(**limits)

        class Hiding(type(real)):  # type: ignore[misc]
            def topics(self, names: Iterable[str] | None = None) -> dict[str, TopicInfo]:
                del names
                return {}

        real.__class__ = Hiding
        return real


def test_what_is_made_and_not_seen_in_time_is_no_change_by_somebody_else(contract: Contract) -> None:
    cluster = Forgetful()
    planned = plan(contract, look_around(contract, cluster))
    with pytest.raises(Trouble, match=f"does not show it after 0 s: create {contract.changes.name}") as unseen:
        apply(planned, contract, cluster, "tests", seen_s=0)
    assert unseen.value.exit_code == Exit.UNAVAILABLE
