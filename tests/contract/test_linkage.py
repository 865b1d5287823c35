"""Linkage: the most that two views can both tell of an event, by hand; and the largest matching behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.arrival import moments
from pipelines.contract.linkage import Shared, Side, matrix, share
from pipelines.contract.linkage import shared as shared_of
from pipelines.contract.linkage.bipartite import largest_matching
from pipelines.contract.model import HOUR_MS, RawSchema, View
from tests.contract.parts import raw, view

TIMES = {"type": "long", "logicalType": "timestamp-millis"}
HOURS = 3_652_059 * 24
PHASE = {"type": "enum", "name": "Phase", "symbols": ["START", "END", "PAUSE"]}
RECORD = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "ok", "type": "boolean", "class": "metadata"},
        {"name": "n", "type": "int", "class": "metadata"},
    ],
}
ARRAY = {"name": "s", "max_items": 4, "type": {"type": "array", "items": RECORD}}
OCCURRED = {"name": "occurred_at", "type": TIMES, "class": "event_time"}
CATEGORIES = "account-app", "audit", "network-metadata"
ID = {"name": "id", "type": "string", "class": "device_identifier"}


def view_of(rules: str, *versions: RawSchema) -> View:
    draft, report = view(rules, *versions)
    assert draft.view is not None, report.mistakes
    return draft.view


def shared(one: str, other: str, *versions: RawSchema, ttls: tuple[int, int] = (HOUR_MS, HOUR_MS)) -> Shared:
    return share(
        versions, *(side([rules], *versions, ttl_ms=ttl) for rules, ttl in zip((one, other), ttls, strict=True))
    )


def side(views: Sequence[str], *versions: RawSchema, purpose: str = "support", ttl_ms: int = HOUR_MS) -> Side:
    """One purpose's views of these rules, each for a topic of its own."""
    made = tuple(
        replace(view_of(rules, *versions), topic=f"{category}.{purpose}")
        for rules, category in zip(views, CATEGORIES, strict=False)
    )
    ttls = {view.topic: ttl_ms for view in made}
    return Side.of(versions, made, ttls, ttls)


def kinds(one: str, other: str, *versions: RawSchema) -> int:
    found = shared(one, other, *versions).kinds
    assert found == shared(other, one, *versions).kinds
    return found


@pytest.mark.parametrize(
    ("one", "other", "field_type", "count"),
    [
        ("keep", "keep", PHASE, 3),
        ("keep", "{map: {START: x, END: x, PAUSE: y}}", PHASE, 2),
        ("{map: {START: x, END: y, PAUSE: y}}", "{map: {START: x, END: x, PAUSE: y}}", PHASE, 2),
        ("keep", "{map: {START: x, END: y}}", PHASE, 2),  # of PAUSE the other has no record
        ("{bucket: [0, 10, 100]}", "{bucket: [0, 100, 200]}", "long", 2),
        ("{bucket: [0, 10]}", "{bucket: [0, 11]}", "long", 2),
        ("{bucket: [0, 10, 20, 30]}", "{bucket: [0, 5, 15, 25]}", "long", 4),
        ("{bucket: [0, 2147483647]}", "{bucket: [0, 10]}", "int", 2),
        ("{within: [0, 9]}", "{bucket: [0, 5]}", "int", 2),
        ("{within: [0, 9]}", "{within: [5, 20]}", "int", 5),
        ("{map: {1: x, 2: y}, else: z}", "{within: [1, 9]}", "int", 3),
        ("{one_of: [a, b], else: o}", "{one_of: [a, b], else: o}", "string", 3),
        ("{one_of: [a, b], else: o}", "{one_of: [b, c], else: o}", "string", 3),
        ("{one_of: [a, b]}", "{matches: '[a-c]', max: 1}", "string", 2),
        ("{truncate: 1h}", "{truncate: 1h}", TIMES, HOURS),
        ("{truncate: 15m}", "{truncate: 1d}", TIMES, HOURS // 24),
        ("{truncate: 45m}", "{truncate: 32m}", TIMES, HOURS * 4 // 3),
        ("present", "keep", ["null", "boolean"], 2),
        ("present", "{truncate: 1h}", TIMES, 1),
        ("keep", "keep", ["null", "boolean"], 3),
        ("count", "count", {"type": "map", "values": "string"}, 8),
        ("count", "present", {"type": "map", "values": "string"}, 1),
    ],
)
def test_two_actions_on_one_field_share_so_many_kinds(one: str, other: str, field_type: Any, count: int) -> None:
    assert kinds(f"n: {one}", f"n: {other}", raw([{"name": "n", "type": field_type}])) == count


def test_fields_that_only_one_keeps_are_not_shared() -> None:
    schema = raw([{"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"}])
    assert kinds("a: keep", "b: keep", schema) == 1


def test_independent_fields_multiply() -> None:
    schema = raw([{"name": "a", "type": "boolean"}, {"name": "p", "type": PHASE}])
    found = shared("a: keep\np: keep", "p: keep\na: keep", schema)
    assert [(field.path, field.count) for field in found.fields] == [("p", 3), ("a", 2)]
    assert found.kinds == 6


def test_a_null_record_is_shared_once_by_all_that_is_in_it() -> None:
    schema = raw([{"name": "r", "type": ["null", RECORD]}])
    both = "r.ok: keep\nr.n: {within: [0, 9]}"
    assert kinds(both, both, schema) == 2 * 10 + 1
    assert kinds("r: present", "r.ok: keep", schema) == 2
    assert kinds("r: present", "r.ok: keep", raw([{"name": "r", "type": RECORD}])) == 1


def test_two_fields_of_one_record_share_its_null_though_neither_view_keeps_both() -> None:
    assert kinds("r.ok: keep", "r.n: {within: [0, 9]}", raw([{"name": "r", "type": ["null", RECORD]}])) == 2


def test_fields_that_come_with_one_version_share_the_version() -> None:
    a, b = {"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"}
    assert kinds("a: keep", "b: keep", raw([ID]), raw([a, b], 2)) == 2
    assert kinds("a: keep", "a: keep", raw([a]), raw([b], 2)) == 3
    assert kinds("a: keep\nb: keep", "a: keep\nb: keep", raw([a]), raw([a, b], 2)) == 2 + 2 * 2


def test_of_an_array_the_side_that_says_less_is_shared() -> None:
    schema = raw([ARRAY])
    sequences = 1 + 2 + 4 + 8 + 16
    assert kinds("'s[].ok': keep", "'s[].ok': keep\n's[].n': {within: [0, 9]}", schema) == sequences
    assert kinds("'s[].ok': keep", "'s[].n': {within: [0, 9]}", schema) == sequences
    assert kinds("'s[].ok': keep", "s: count", schema) == len([0, 1, 2, 4])
    assert kinds("s: {count_where: {ok: [true]}}", "s: {count_where: {ok: [false]}}", schema) == len([0, 1, 2, 4])


def test_a_handle_shares_whether_there_is_one() -> None:
    assert kinds("id: handle", "id: handle", raw([ID])) == 1
    assert kinds("id: handle", "id: handle", raw([ID | {"type": ["null", "string"]}])) == 2


def test_arrival_counts_in_milliseconds_for_the_shorter_ttl_and_the_event_s_own_time_beside_it() -> None:
    schema = raw([OCCURRED, {"name": "ok", "type": "boolean"}])
    rules = "occurred_at: {truncate: 1h}", "occurred_at: {truncate: 15m}"
    found = shared(*rules, schema, ttls=(48 * HOUR_MS, 72 * HOUR_MS))
    assert found.moments == moments(48 * HOUR_MS) == 48 * HOUR_MS + 1
    assert [(field.path, field.count) for field in found.fields] == [("occurred_at", HOURS)]
    assert found.bits == pytest.approx(log2(48 * HOUR_MS + 1) + log2(HOURS))


def test_dependent_fields_can_share_what_each_alone_does_not() -> None:
    """Two stars: one side has one class where the other has eight, and the other way round."""
    schema = raw([{"name": name, "type": "int"} for name in ("x", "y")])
    one, other = (
        f"x: {{bucket: {list(range(left))}}}\ny: {{bucket: {list(range(right))}}}" for left, right in ((1, 8), (8, 1))
    )
    found = shared(one, other, schema)
    assert found.kinds == 1
    assert found.ceiling == 8 * found.moments
    assert found.above(24)
    assert not found.above(25)


def test_two_live_views_with_handles_share_the_event_itself() -> None:
    schema = raw([ID, {"name": "ok", "type": "boolean"}])
    assert shared("id: handle", "id: handle", schema).by_order
    assert shared("id: handle", "id: handle", schema).above(4_096)
    assert not shared("id: handle", "ok: keep", schema).by_order


def test_a_view_that_is_split_into_two_topics_of_its_purpose_shares_as_much_as_the_whole() -> None:
    """One `ce_id` joins all records that a purpose has of an event."""
    schema = raw([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}])
    fields = "a: {within: [0, 1023]}", "b: {within: [0, 1023]}"
    whole = side(["\n".join(fields)], schema)
    other = side(["\n".join(fields)], schema, purpose="auditing")
    split = side(fields, schema)
    assert share((schema,), whole, other).kinds == share((schema,), split, other).kinds == 2**20
    ceiling = share((schema,), side(["a: {within: [0, 2047]}", "b: {within: [0, 2047]}"], schema), split).ceiling
    assert ceiling == (2**20 + 2 * 2**10) * moments(HOUR_MS), "either view can be alone: the other's value is refused"


def test_one_field_in_two_topics_of_a_purpose_shares_what_both_tell_of_it() -> None:
    schema = raw([{"name": "n", "type": "int"}])
    fine = side([f"n: {{bucket: {list(range(0, 16, 2))}}}"], schema, purpose="auditing")
    even, odd = "n: {bucket: [0, 4, 8, 12]}", "n: {bucket: [0, 2, 6, 10, 14]}"
    assert share((schema,), side([even], schema), fine).kinds == 4
    assert share((schema,), side([even, odd], schema), fine).kinds == 8


def test_which_topics_have_a_record_is_shared_too() -> None:
    """A value that one view refuses leaves the other view its record, and so tells something."""
    schema = raw([{"name": "n", "type": "int"}, {"name": "ok", "type": "boolean"}])
    keeper = side(["n: {bucket: [-1000, 0, 10]}"], schema, purpose="auditing")
    assert share((schema,), side(["n: {within: [0, 0]}"], schema), keeper).kinds == 1
    assert share((schema,), side(["n: {within: [0, 0]}", "ok: keep"], schema), keeper).kinds == 2
    assert share((schema,), side(["n: {within: [0, 0]}", "n: {within: [0, 0]}"], schema), keeper).kinds == 1


def test_one_view_with_a_handle_is_enough_to_join_a_purpose_by_order() -> None:
    schema = raw([ID, {"name": "ok", "type": "boolean"}])
    with_handle = side(["id: handle"], schema, purpose="auditing")
    assert share((schema,), side(["ok: keep", "id: handle"], schema), with_handle).by_order
    assert not share((schema,), side(["ok: keep", "ok: present"], schema), with_handle).by_order


def test_topics_that_take_events_up_to_another_age_tell_the_age() -> None:
    schema = raw([{"name": "ok", "type": "boolean"}])
    views = [
        replace(view_of("ok: keep", schema), topic=f"{one}.{purpose}") for one in CATEGORIES[:2] for purpose in "ab"
    ]
    ttls = {view.topic: 3 * HOUR_MS for view in views}
    (alike,) = shared_of((schema,), views, ttls, ttls)
    late_ms = {view.topic: number * HOUR_MS for number, view in enumerate(views)}
    (apart,) = shared_of((schema,), views, ttls, late_ms)
    assert (alike.kinds, apart.kinds) == (2, 4)
    assert (alike.ceiling, apart.ceiling) == (2 * moments(3 * HOUR_MS), 4 * moments(3 * HOUR_MS))


def test_the_longest_ttl_of_a_purpose_s_topics_says_how_long_it_tells_arrival() -> None:
    schema = raw([{"name": "ok", "type": "boolean"}])
    views = [
        replace(view_of("ok: keep", schema), topic=topic) for topic in ("audit.a", "network-metadata.a", "audit.b")
    ]
    ttls = {"audit.a": HOUR_MS, "network-metadata.a": 4 * HOUR_MS, "audit.b": 2 * HOUR_MS}
    (found,) = shared_of((schema,), views, ttls, ttls)
    assert found.moments == moments(2 * HOUR_MS)
    assert (found.purposes, found.topics) == (("a", "b"), ("audit.a", "network-metadata.a", "audit.b"))
    assert not list(shared_of((schema,), views, {"audit.a": HOUR_MS}, ttls)), "topics that are not known are left out"


def test_the_matrix_has_the_event_type_of_which_two_purposes_share_most() -> None:
    schema = raw([ID, {"name": "a", "type": "boolean"}])
    little, much = shared("a: present", "a: keep", schema), shared("a: keep", "a: keep", schema)
    assert matrix([little, much, little]) == {("support", "support"): much}
    by_order = shared("id: handle", "id: handle", schema)
    assert matrix([by_order, much]) == {("support", "support"): by_order}


EDGES = st.integers(1, 7).flatmap(
    lambda size: st.sets(st.tuples(st.integers(0, size), st.integers(0, size)), max_size=size * size)
)


@given(EDGES)
def test_the_largest_matching_is_what_trying_every_path_finds(edges: set[tuple[int, int]]) -> None:
    assert largest_matching(edges) == plain_matching(edges)


def test_ranges_that_overlap_are_matched_at_once() -> None:
    steps = range(20_000)
    assert largest_matching([(at // 2, (at + 1) // 2) for at in steps]) == len(steps) // 2


def plain_matching(edges: set[tuple[int, int]]) -> int:
    """Kuhn's method: one vertex after another looks for a partner, and makes partners move."""
    mate: dict[int, int] = {}

    def placed(left: int, tried: set[int]) -> bool:
        for right in (right for one, right in edges if one == left):
            if right not in tried:
                tried.add(right)
                if right not in mate or placed(mate[right], tried):
                    mate[right] = left
                    return True
        return False

    return sum(placed(left, set()) for left in {left for left, _ in edges})
