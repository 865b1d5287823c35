"""Linkage: the finest thing that two views both tell of a field, by hand; and the file that accepts it."""

from __future__ import annotations

from math import log2
from typing import Any

import pytest

from pipelines.contract.linkage import Shared, matrix, share
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
ID = {"name": "id", "type": "string", "class": "device_identifier"}


def view_of(rules: str, *versions: RawSchema) -> View:
    draft, report = view(rules, *versions)
    assert draft.view is not None, report.mistakes
    return draft.view


def shared(one: str, other: str, *versions: RawSchema, ttl_ms: int = HOUR_MS) -> Shared:
    return share(versions, view_of(one, *versions), view_of(other, *versions), ttl_ms)


def of(one: str, other: str, field_type: Any) -> int:
    return shared(f"n: {one}", f"n: {other}", raw([{"name": "n", "type": field_type}])).count


@pytest.mark.parametrize(
    ("one", "other", "field_type", "count"),
    [
        ("keep", "keep", PHASE, 3),
        ("keep", "{map: {START: x, END: x, PAUSE: y}}", PHASE, 2),
        ("{map: {START: x, END: y, PAUSE: y}}", "{map: {START: x, END: x, PAUSE: y}}", PHASE, 1),
        ("keep", "{map: {START: x, END: y}}", PHASE, 2),  # of PAUSE the other has no record
        ("{bucket: [0, 10, 100]}", "{bucket: [0, 100, 200]}", "long", 2),
        ("{bucket: [0, 10]}", "{bucket: [0, 11]}", "long", 1),
        ("{within: [0, 9]}", "{bucket: [0, 5]}", "int", 2),
        ("{within: [0, 9]}", "{within: [5, 20]}", "int", 5),
        ("{map: {1: x, 2: y}, else: z}", "{within: [1, 9]}", "int", 3),
        ("{one_of: [a, b], else: o}", "{one_of: [a, b], else: o}", "string", 3),
        ("{one_of: [a, b], else: o}", "{one_of: [b, c], else: o}", "string", 2),
        ("{one_of: [a, b]}", "{matches: '[a-c]', max: 1}", "string", 2),
        ("{truncate: 1h}", "{truncate: 1h}", TIMES, HOURS),
        ("{truncate: 15m}", "{truncate: 1d}", TIMES, HOURS // 24),
        ("{truncate: 6h}", "{truncate: 8h}", TIMES, HOURS // 24),
        ("present", "keep", ["null", "boolean"], 2),
        ("present", "{truncate: 1h}", TIMES, 1),
        ("keep", "keep", ["null", "boolean"], 3),
        ("count", "count", {"type": "map", "values": "string"}, 8),
        ("count", "present", {"type": "map", "values": "string"}, 1),
    ],
)
def test_two_actions_on_one_field_meet_in_so_many_parts(one: str, other: str, field_type: Any, count: int) -> None:
    assert of(one, other, field_type) == of(other, one, field_type) == count


def test_fields_that_only_one_keeps_are_not_shared() -> None:
    schema = raw([{"name": "a", "type": "boolean"}, {"name": "b", "type": "boolean"}])
    assert shared("a: keep", "b: keep", schema).fields == ()


def test_a_record_s_presence_meets_what_is_in_it() -> None:
    schema = raw([{"name": "r", "type": ["null", RECORD]}])
    assert shared("r: present", "r.ok: keep", schema).count == 2
    assert shared("r: present", "r.ok: keep", raw([{"name": "r", "type": RECORD}])).count == 1


def test_arrays_meet_in_their_length_and_in_what_both_keep_of_an_item() -> None:
    schema = raw([ARRAY])
    both = shared("'s[].ok': keep", "'s[].ok': keep\n's[].n': {within: [0, 9]}", schema)
    assert both.count == 1 + 2 + 4 + 8 + 16
    assert shared("'s[].ok': keep", "'s[].n': {within: [0, 9]}", schema).count == 5
    assert shared("'s[].ok': keep", "s: count", schema).count == len([0, 1, 2, 4])


def test_a_count_of_some_items_meets_items_that_tell_them() -> None:
    schema = raw([ARRAY])
    assert shared("'s[].ok': keep", "s: {count_where: {ok: [true]}}", schema).count == 4
    assert shared("'s[].n': {within: [0, 9]}", "s: {count_where: {ok: [true]}}", schema).count == 1
    assert shared("s: {count_where: {ok: [true]}}", "s: {count_where: {ok: [true]}}", schema).count == 4
    assert shared("s: {count_where: {ok: [true]}}", "s: {count_where: {ok: [false]}}", schema).count == 1


def test_the_event_s_own_time_is_counted_once_and_for_the_shorter_ttl() -> None:
    schema = raw([OCCURRED, {"name": "ok", "type": "boolean"}])
    found = shared("occurred_at: {truncate: 1h}", "occurred_at: {truncate: 15m}", schema, ttl_ms=48 * HOUR_MS)
    assert (found.moments, found.fields) == (48, ())
    assert found.bits == log2(48)
    assert shared("ok: present", "ok: present", schema, ttl_ms=48 * HOUR_MS).moments == 48  # 1 h without one


def test_handles_share_nothing() -> None:
    assert shared("id: handle", "id: handle", raw([ID])).count == 1


def test_a_version_without_the_field_is_one_part_more() -> None:
    versions = raw([{"name": "a", "type": "boolean"}]), raw([{"name": "b", "type": "boolean"}], 2)
    assert shared("a: keep", "a: keep", *versions).count == 3


def test_the_matrix_has_the_event_type_of_which_two_purposes_share_most() -> None:
    schema = raw([{"name": "a", "type": "boolean"}])
    little, much = shared("a: present", "a: keep", schema), shared("a: keep", "a: keep", schema)
    assert matrix([little, much, little]) == {("support", "support"): much}
