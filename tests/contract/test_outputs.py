"""What a view writes: names, order, nullability, arrays, and one schema for all raw versions."""

from __future__ import annotations

from typing import Any

from tests.contract.parts import mistakes, output, raw, view

CHECK = {
    "type": "record",
    "name": "Check",
    "fields": [
        {"name": "id", "type": "string", "class": "metadata"},
        {"name": "ok", "type": ["null", "boolean"], "class": "metadata"},
        {"name": "tags", "type": {"type": "array", "items": "string"}, "class": "content"},
    ],
}
CHECKS = {"name": "checks", "max_items": 8, "type": {"type": "array", "items": CHECK}}
ERROR = {
    "name": "error",
    "type": [
        "null",
        {"type": "record", "name": "Error", "fields": [{"name": "code", "type": "int", "class": "metadata"}]},
    ],
}
HEADERS = {"name": "headers", "type": {"type": "map", "values": "string"}}
OK = {"name": "ok", "type": "boolean"}
N = {"name": "n", "type": "int"}
NAMES = "minimized.network_metadata.support.vpn.session"


def named(fields: list[dict[str, Any]]) -> list[str]:
    return [field["name"] for field in fields]


def test_a_nested_field_is_named_after_its_path_and_null_above_makes_it_nullable() -> None:
    assert output("error.code: {within: [1, 9]}", raw([ERROR])) == [{"name": "error_code", "type": ["null", "int"]}]


def test_a_map_entry_is_named_after_its_key_and_may_be_missing() -> None:
    fields = output('headers{"User-Agent"}: {one_of: [a]}', raw([HEADERS]))
    assert fields == [{"name": "headers_user_agent", "type": ["null", "string"]}]


def test_presence_of_a_map_entry_is_a_boolean() -> None:
    assert output('headers{"x"}: present', raw([HEADERS])) == [{"name": "headers_x", "type": "boolean"}]


def test_as_names_an_output() -> None:
    assert named(output("ok: {do: keep, as: went_well}", raw([OK]))) == ["went_well"]


def test_paths_that_share_an_array_give_one_array_of_records() -> None:
    rules = "checks[].ok: keep\nchecks[].id: {do: {one_of: [a]}, as: name}\nchecks[].tags: count"
    item = {
        "type": "record",
        "name": "checks",
        "namespace": NAMES,
        "fields": [
            {"name": "name", "type": "string"},
            {"name": "ok", "type": ["null", "boolean"]},
            {"name": "tags", "type": "int"},
        ],
    }
    assert output(rules, raw([CHECKS])) == [{"name": "checks", "type": {"type": "array", "items": item}}]


def test_bare_items_of_an_array_stand_in_a_field_called_value() -> None:
    words = {"name": "words", "max_items": 4, "type": {"type": "array", "items": ["null", "string"]}}
    fields = output("words[]: {one_of: [a]}", raw([words]))
    assert fields[0]["type"]["items"]["fields"] == [{"name": "value", "type": ["null", "string"]}]


def test_a_null_array_makes_the_array_nullable_and_not_its_items() -> None:
    nullable = CHECKS | {"type": ["null", CHECKS["type"]]}
    fields = output("checks[].id: {one_of: [a]}", raw([nullable]))
    assert fields[0]["type"][0] == "null"
    assert fields[0]["type"][1]["items"]["fields"] == [{"name": "id", "type": "string"}]


def test_outputs_stand_in_the_order_of_the_newest_schema_and_older_ones_last() -> None:
    old = {"name": "old", "type": "boolean"}
    first, second = raw([old, OK, N], 1), raw([N, ERROR, OK], 2)
    rules = "ok: keep\nold: keep\nerror: {do: present, as: failed}\nn: {within: [0, 1]}"
    assert named(output(rules, first, second)) == ["n", "failed", "ok", "old"]


def test_the_order_of_a_policy_does_not_matter() -> None:
    schema = raw([OK, N, CHECKS, HEADERS])
    lines = ['headers{"b"}: present', "checks[].ok: keep", 'headers{"a"}: present', "n: {within: [0, 1]}", "ok: keep"]
    assert output("\n".join(lines), schema) == output("\n".join(reversed(lines)), schema)


def test_a_field_that_a_version_lacks_is_nullable() -> None:
    fields = output("ok: keep\nn: {within: [0, 1]}", raw([OK], 1), raw([OK, N], 2))
    assert fields == [{"name": "ok", "type": "boolean"}, {"name": "n", "type": ["null", "int"]}]


def test_an_array_that_a_version_lacks_is_nullable_and_its_items_are_not() -> None:
    fields = output("checks[].id: {one_of: [a]}", raw([OK], 1), raw([OK, CHECKS], 2))
    assert fields[0]["type"][0] == "null"
    assert fields[0]["type"][1]["items"]["fields"] == [{"name": "id", "type": "string"}]


def test_an_item_field_that_a_version_lacks_is_nullable_and_the_array_is_not() -> None:
    wider = CHECKS | {
        "type": {"type": "array", "items": CHECK | {"fields": [*CHECK["fields"], N | {"class": "metadata"}]}}
    }
    fields = output("checks[].n: {within: [0, 1]}", raw([CHECKS], 1), raw([wider], 2))
    assert fields[0]["type"]["items"]["fields"] == [{"name": "n", "type": ["null", "int"]}]


def test_an_enum_output_has_the_symbols_of_all_versions_the_newest_first() -> None:
    def state(*symbols: str) -> dict[str, Any]:
        return {"name": "state", "type": {"type": "enum", "name": "State", "symbols": list(symbols)}}

    fields = output("state: keep", raw([state("UP", "OLD")], 1), raw([state("NEW", "UP")], 2))
    assert fields[0]["type"]["symbols"] == ["NEW", "UP", "OLD"]


def test_int_and_long_over_versions_are_a_long() -> None:
    long = N | {"type": "long"}
    assert output("n: {within: [0, 1]}", raw([N], 1), raw([long], 2)) == [{"name": "n", "type": "long"}]


def test_other_disagreements_of_versions_are_refused() -> None:
    for other in ("double", "string", "boolean", {"type": "int", "logicalType": "date"}):
        assert mistakes("n: {bucket: [0, 1]}", raw([N], 1), raw([N | {"type": other}], 2)) == ["type-disagreement"]


def test_presence_does_not_mind_what_is_there() -> None:
    assert output("n: present", raw([N], 1), raw([N | {"type": "string"}], 2)) == [{"name": "n", "type": "boolean"}]


def test_an_array_beside_its_count_needs_a_name() -> None:
    schema = raw([CHECKS])
    assert mistakes("checks: count\nchecks[].ok: keep", schema) == ["name-clash"]
    assert named(output("checks: {do: count, as: checks_run}\nchecks[].ok: keep", schema)) == ["checks_run", "checks"]


def test_nothing_of_the_raw_schema_but_symbols_comes_through() -> None:
    secretive = {
        "name": "state",
        "doc": "said-in-a-doc",
        "default": "UP",
        "type": {"type": "enum", "name": "SaidInAName", "doc": "said-in-a-doc", "symbols": ["UP"], "default": "UP"},
    }
    draft, _ = view("state: keep", raw([secretive]))
    assert draft.view is not None
    for word in ("said-in-a-doc", "SaidInAName", "doc", "default"):
        assert word not in draft.view.schema


def test_the_step_is_that_of_occurred_at_and_an_hour_without() -> None:
    time = {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}, "class": "event_time"}
    schema = raw([time, OK])
    for rules, step in (("occurred_at: {truncate: 15m}\nok: keep", 900_000), ("ok: keep", 3_600_000)):
        draft, _ = view(rules, schema)
        assert draft.view is not None
        assert draft.view.step_ms == step
