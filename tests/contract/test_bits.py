"""The information budget, by hand: what each action can say, what nulls, versions and arrays do to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.contract.bits import spelled_bits, view_bits
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.model import RawSchema
from pipelines.minimize.actions import _AFTER_LAST_DAY, _FIRST_DAY
from tests.contract.parts import raw, view

DAYS = _AFTER_LAST_DAY - _FIRST_DAY
TIMES = {"type": "long", "logicalType": "timestamp-millis"}
NANOS = {"type": "long", "logicalType": "timestamp-nanos"}
DATE = {"type": "int", "logicalType": "date"}
PHASE = {"type": "enum", "name": "Phase", "symbols": ["START", "END"]}
LATER_PHASE = {"type": "enum", "name": "Phase", "symbols": ["END", "PAUSE", "START"]}
OTHER_PHASE = {"type": "enum", "name": "Phase", "symbols": ["END", "PAUSE"]}
SMALL_DECIMAL = {"type": "fixed", "name": "D", "size": 1, "logicalType": "decimal", "precision": 2, "scale": 1}


def counted(rules: str, *versions: RawSchema) -> int:
    draft, report = view(rules, *versions)
    assert draft.view is not None, report.mistakes
    return view_bits(versions, draft.view).count


def of(rule: str, field_type: Any, **more: Any) -> int:
    return counted(f"n: {rule}", raw([{"name": "n", "type": field_type, **more}]))


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{**field, "class": "metadata"} for field in fields]}


@pytest.mark.parametrize(
    ("rule", "field_type", "count"),
    [
        ("keep", "boolean", 2),
        ("keep", PHASE, 2),
        ("{within: [100, 599]}", "int", 500),
        ("{bucket: [0, 10, 100]}", "long", 3),
        ("{bucket: [0, 10, 100]}", "double", 3),
        ("{bucket: [0, 10, 12, 13]}", SMALL_DECIMAL, 3),  # -12.8 to 12.7: nothing reaches 13
        ("{bucket: [-20, -13, -12, 0]}", SMALL_DECIMAL, 3),  # nothing is below -12.8
        ("{truncate: 1d}", TIMES, DAYS),
        ("{truncate: 1h}", TIMES, DAYS * 24),
        ("{truncate: 1d}", DATE, DAYS),
        ("{truncate: 1d}", NANOS, 2 * (2**63 // (86_400 * 10**9)) + 1),
        ("{one_of: [a, b]}", "string", 2),
        ("{one_of: [a, b], else: other}", "string", 3),
        ("{one_of: [a, b], else: a}", "string", 2),
        ("{one_of: {list: regions}, else: other}", "string", 3),
        ("{matches: '[ab]{1,2}', max: 2}", "string", 6),
        ("{map: {START: x, END: x}}", PHASE, 1),
        ("{map: {START: x}, else: y}", PHASE, 2),
        ("{map: {START: x, END: z}, else: y}", PHASE, 2),  # nothing is left for the other word
        ("{map: {true: x, false: y}, else: z}", "boolean", 2),
        ("{map: {1: x, 2: y}, else: z}", "int", 3),
        ("present", ["null", "string"], 2),
        ("present", "string", 1),
        ("keep", ["null", "boolean"], 3),
        ("count", {"type": "map", "values": "string"}, 8),
        ("count", {"type": "array", "items": "string"}, 8),
    ],
)
def test_an_action_can_say_so_many_things(rule: str, field_type: Any, count: int) -> None:
    assert of(rule, field_type) == count


def test_a_count_stops_at_the_most_items_that_an_array_may_have() -> None:
    assert of("count", {"type": "array", "items": "string"}, max_items=9) == len([0, 1, 2, 4, 8])


def test_a_handle_says_nothing_here_but_whether_it_is_there() -> None:
    assert counted("id: handle", raw([{"name": "id", "type": "string", "class": "device_identifier"}])) == 1
    assert counted("id: handle", raw([{"name": "id", "type": ["null", "string"], "class": "device_identifier"}])) == 2


def test_fields_multiply() -> None:
    schema = raw([{"name": "a", "type": "boolean"}, {"name": "n", "type": "int"}])
    assert counted("a: keep\nn: {within: [1, 10]}", schema) == 20


def test_a_null_record_makes_all_its_fields_null_at_once() -> None:
    inner = record({"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"})
    schema = raw([{"name": "r", "type": ["null", inner]}])
    assert counted("r.a: keep\nr.b: keep", schema) == 1 + 2 * 2


def test_an_all_null_record_is_not_counted_twice() -> None:
    inner = record({"name": "a", "type": ["null", "boolean"]})
    assert counted("r.a: keep", raw([{"name": "r", "type": ["null", inner]}])) == 3


def test_versions_add_what_only_they_can_say() -> None:
    versions = raw([{"name": "p", "type": PHASE}]), raw([{"name": "p", "type": LATER_PHASE}], 2)
    assert counted("p: keep", *versions) == 3
    overlapping = raw([{"name": "p", "type": PHASE}]), raw([{"name": "p", "type": OTHER_PHASE}], 2)
    assert counted("p: keep", *overlapping) == 3


def test_versions_do_not_multiply_with_each_other() -> None:
    a, b = {"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"}
    assert counted("a: keep\nb: keep", raw([a]), raw([b], 2)) == 2 + 2
    assert counted("a: keep\nb: keep", raw([a]), raw([a, b], 2)) == 2 + 2 * 2


def test_an_array_of_records_counts_every_length_up_to_its_bound() -> None:
    schema = raw([{"name": "s", "max_items": 3, "type": {"type": "array", "items": "boolean"}}])
    assert counted("'s[]': keep", schema) == 1 + 2 + 4 + 8
    assert counted("'s[]': keep\ns: {do: count, as: many}", schema) == 1 + 2 + 4 + 8


def test_a_count_of_some_items_is_told_beside_the_items() -> None:
    inner = record({"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"})
    schema = raw([{"name": "s", "max_items": 2, "type": {"type": "array", "items": inner}}])
    assert counted("'s[].a': keep\ns: {do: {count_where: {b: [true]}}, as: bs}", schema) == 1 + 2 * 2 + 4 * 3


def test_a_map_s_count_is_no_lower_than_the_entries_that_show() -> None:
    schema = raw([{"name": "m", "type": {"type": "map", "values": "boolean"}}])
    rules = """'m{"x"}': keep\n'm{"y"}': keep\nm: count"""
    assert counted(rules, schema) == 8 + 2 * 2 * 7 + 4 * 6
    three = f"""{rules}\n'm{{"z"}}': keep"""  # three entries are told as 2
    assert counted(three, schema) == 8 + 3 * 2 * 7 + 3 * 4 * 6 + 8 * 6


def test_the_outputs_that_say_most_come_first() -> None:
    schema = raw([{"name": "a", "type": "boolean"}, {"name": "n", "type": "int"}, {"name": "t", "type": TIMES}])
    draft, _ = view("a: keep\nn: {within: [1, 10]}\nt: {truncate: 1d}", schema)
    assert draft.view is not None
    said = view_bits((schema,), draft.view)
    assert [field.name for field in said.fields] == ["t", "n", "a"]
    assert said.time_bits == pytest.approx(21.80, abs=0.01)


def test_a_budget_is_kept_by_whole_numbers() -> None:
    schema = raw([{"name": "n", "type": "int"}])
    for most, kept in ((16, True), (17, False)):
        draft, _ = view(f"n: {{within: [1, {most}]}}", schema)
        assert draft.view is not None
        assert view_bits((schema,), draft.view).within(4) is kept


def test_bits_are_spelled_rounded_up() -> None:
    assert spelled_bits(128.0001) == "128.1"
    assert spelled_bits(127.96) == "128.0"
    assert spelled_bits(4.0) == "4.0"


def test_a_huge_array_is_bounded_without_being_counted_out() -> None:
    schema = raw([{"name": "s", "max_items": 65_536, "type": {"type": "array", "items": "string"}}])
    assert counted("'s[]': {matches: '[a-z0-9]{1,3}', max: 3}", schema).bit_length() > 65_536 * 15


def test_very_many_versions_give_a_bound() -> None:
    versions = tuple(raw([{"name": f"f{number}", "type": "boolean"}], number) for number in range(1, 40))
    rules = "\n".join(f"f{number}: keep" for number in range(1, 40))
    assert counted(rules, *versions) == 39 * 2


def together(versions: tuple[RawSchema, ...], *rules: str, late_ms: tuple[int, ...] = ()) -> int:
    views = []
    for number, lines in enumerate(rules):
        draft, report = view(lines, *versions)
        assert draft.view is not None, report.mistakes
        views.append(replace(draft.view, topic=f"topic-{number}.support"))
    lates = late_ms or (1,) * len(views)
    return joint_count(versions, views, {one.topic: late for one, late in zip(views, lates, strict=True)})


@pytest.mark.parametrize(
    ("field_type", "rules", "count"),
    [
        ("long", ("{bucket: [0, 10, 20]}", "{bucket: [0, 5, 15]}"), 5),
        ("int", ("{within: [0, 9]}", "{bucket: [0, 5]}"), 10 + 2),  # from 10 on only the second has a record
        ("string", ("{one_of: [a, b], else: o}", "{one_of: [b, c], else: o}"), 4),
        ("string", ("{one_of: [a, b], else: o}", "{map: {a: x, c: x}, else: o}"), 4),
        (PHASE, ("keep", "{map: {START: x}, else: y}"), 2),
        (TIMES, ("{truncate: 45m}", "{truncate: 32m}"), DAYS * (32 + 45 - 1)),
        (["null", TIMES], ("{truncate: 1d}", "{truncate: 1h}"), DAYS * 24 + 1),
        (["null", "boolean"], ("keep", "present"), 3),
    ],
)
def test_views_of_one_purpose_intersect(field_type: Any, rules: tuple[str, str], count: int) -> None:
    schema = raw([{"name": "n", "type": field_type}])
    assert together((schema,), *(f"n: {rule}" for rule in rules)) == count


def test_six_topics_of_staggered_edges_say_the_number_itself() -> None:
    edges = [[0, *range(1 + topic, 61, 6)] for topic in range(6)]
    schema = raw([{"name": "n", "type": "long"}])
    assert together((schema,), *(f"n: {{bucket: {one}}}" for one in edges)) == len({e for one in edges for e in one})


def test_an_event_that_is_too_old_for_one_topic_comes_to_the_others_alone() -> None:
    rules = "n: keep\nm: keep", "n: keep"
    schema = raw([{"name": name, "type": "boolean"} for name in "nm"])
    assert together((schema,), *rules) == 4
    assert together((schema,), *rules, late_ms=(1, 2)) == 4 + 2


def test_what_both_count_in_an_array_is_bounded_together() -> None:
    inner = record({"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"})
    schema = raw([{"name": "s", "max_items": 2, "type": {"type": "array", "items": inner}}])
    rules = "s: {count_where: {a: [true]}}", "s: {count_where: {b: [true]}}"
    assert together((schema,), *rules) == 3 * 3
