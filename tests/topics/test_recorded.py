"""What the record of changes says of promises that settle; what is none of ours in it is passed over."""

from __future__ import annotations

import pytest

from pipelines.retention import FOREVER_MS
from pipelines.topics.record import Done, applied_body, change_body
from pipelines.topics.recorded import Origin, Recorded, Settles
from pipelines.topics.spans import moment
from pipelines.topics.state import OLDEST, SEGMENT, Audience, Latecomers
from pipelines.topics.steps import Step

HOUR_MS = 3_600_000


def cut(kept_from_ms: int, lived_ms: int) -> dict[str, object]:
    return applied_body(Done({}, {"audit.a": kept_from_ms}, {"audit.a": lived_ms}, {}, {}))


def test_a_second_cut_while_the_first_settles_settles_with_it() -> None:
    said = Recorded()
    said.hear(cut(10 * HOUR_MS, 9 * HOUR_MS), HOUR_MS, 1)
    said.hear(change_body(Step("set", "audit.a", {SEGMENT: "5"}, {SEGMENT: "7"})), 2 * HOUR_MS)
    said.hear(cut(7 * HOUR_MS, 5 * HOUR_MS), 2 * HOUR_MS, 3)
    both = Settles(10 * HOUR_MS, 9 * HOUR_MS, 2 * HOUR_MS, {SEGMENT: 7}, Origin(1, ""))
    assert said.settles == {"audit.a": both}
    said.hear(cut(12 * HOUR_MS, 3 * HOUR_MS), 11 * HOUR_MS, 4)
    assert said.settles == {"audit.a": Settles(12 * HOUR_MS, 3 * HOUR_MS, 11 * HOUR_MS, {}, Origin(4, ""))}


def test_a_record_with_no_change_before_it_does_not_lengthen_what_settles() -> None:
    said = Recorded()
    said.hear(change_body(Step("set", "audit.a", {SEGMENT: "5"}, {SEGMENT: "7"})), HOUR_MS)
    said.hear(cut(10 * HOUR_MS, 9 * HOUR_MS), HOUR_MS, 1)
    said.hear(cut(99 * HOUR_MS, 99 * HOUR_MS), 9 * HOUR_MS, 2)
    assert said.settles == {"audit.a": Settles(10 * HOUR_MS, 9 * HOUR_MS, HOUR_MS, {SEGMENT: 7}, Origin(1, ""))}


def test_what_an_earlier_release_recorded_is_understood() -> None:
    said = Recorded()
    said.hear(change_body(Step("create", "audit.a", {OLDEST: "7"}, {}, 1, 1)), 0)
    said.hear(change_body(Step("set", "audit.a", {OLDEST: "5"}, {OLDEST: "7"})), 1_000)
    whom = {"audit.a": {"ttl_ms": 9, "consumers": ["desk"]}}
    said.hear({"kind": "applied", "plan": "p", "kept_from": {"audit.a": moment(5_000)}, "audience": whom}, 2_000)
    assert said.audience == {"audit.a": Audience(9, ("desk",))}
    assert said.settles == {"audit.a": Settles(5_000, FOREVER_MS, 2_000, {OLDEST: 7})}
    assert (said.lets_in, said.latecomers) == ({"audit.a": 5}, {"audit.a": Latecomers(7, 2_000)})
    assert (said.unconfirmed, said.plan) == ({}, "p")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": 7},
        {"kind": "change"},
        {"kind": "change", "step": 1},
        {"kind": "change", "step": {"kind": "set", "topic": "audit.a", "settings": [], "before": {}}},
        {"kind": "change", "step": {"kind": "set", "topic": 3, "settings": {OLDEST: "1"}, "before": {}}},
        {"kind": "replay", "event": "vpn.session"},
        {"kind": "applied", "kept_from": {"audit.a": "soon"}, "lived": 3, "audience": {"audit.a": 1}, "lets_in": []},
        {"kind": "applied", "kept_from": 1, "audience": 1, "lets_in": {"audit.a": "1"}, "latecomers": 5},
    ],
)
def test_what_is_none_of_ours_says_nothing(body: dict[str, object]) -> None:
    said = Recorded()
    said.hear(body, 0)
    assert said == Recorded()


@pytest.mark.parametrize("oldest", ["x", "", None, 5])
def test_a_limit_that_cannot_be_read_is_none(oldest: object) -> None:
    said = Recorded()
    step = {"kind": "set", "topic": "audit.a", "settings": {OLDEST: oldest}, "before": {OLDEST: oldest}}
    said.hear({"kind": "change", "step": step}, 0)
    assert (said.lets_in, said.unconfirmed) == ({}, {"audit.a": FOREVER_MS})


@pytest.mark.parametrize(("before", "after", "until_ms"), [("9", "5", None), ("", "5", None), ("5", "9", 4_000)])
def test_latecomers_whose_segments_are_cut_count_from_the_end_of_that_plan(
    before: str, after: str, until_ms: int | None
) -> None:
    said = Recorded()
    said.hear(applied_body(Done({}, {}, {}, {"audit.a": 5}, {"audit.a": Latecomers(7, None)})), 4_000)
    said.hear(change_body(Step("set", "audit.a", {SEGMENT: after}, {SEGMENT: before})), 5_000)
    assert said.latecomers == {"audit.a": Latecomers(7, until_ms)}
