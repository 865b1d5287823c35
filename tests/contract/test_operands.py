"""What the words of a rule mean for the field they speak of."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.contract.actions import Bucket, CountWhere, MapTo, Matches, OneOf, Truncate, Within
from tests.contract.parts import mistakes, raw, view

LONG = {"name": "n", "type": "long"}
TEXT = {"name": "t", "type": "string"}


def action(rule: str, field: dict[str, Any]) -> Any:
    draft, report = view(f"{field['name']}: {rule}", raw([field]))
    assert not report.mistakes
    return draft.resolved[0].rule.action


@pytest.mark.parametrize(
    ("name", "edges", "meant"),
    [
        ("n", "[0, 1KiB, 2MiB, 1GiB]", (0, 1 << 10, 2 << 20, 1 << 30)),
        ("n", "[-5, 0, 1Ki, 1Mi]", (-5, 0, 1 << 10, 1 << 20)),
        ("wait_ms", "[0s, 1s, 2m, 1h, 1d]", (0, 1_000, 120_000, 3_600_000, 86_400_000)),
        ("wait_us", "[0, 1s]", (0, 1_000_000)),
        ("wait_ns", "[0, 1s]", (0, 1_000_000_000)),
        ("wait_seconds", "[0, 1m]", (0, 60)),
        ("wait_ms", "[0, 250ms, 1s]", (0, 250, 1_000)),
        ("wait_us", "[1ms, 1.5ms]", (1_000, 1_500)),
        ("n", "[1.0, 2KiB, 2.5KiB]", (1, 2_048, 2_560)),
    ],
)
def test_an_edge_counts_in_the_fields_unit(name: str, edges: str, meant: tuple[int, ...]) -> None:
    assert action(f"{{bucket: {edges}}}", {"name": name, "type": "long"}) == Bucket(meant)


@pytest.mark.parametrize(
    "edges",
    [
        "[1s]",
        "[]",
        "[1, 1]",
        "[2, 1]",
        "[1.5]",
        "[0.3KiB]",
        "[1.]",
        "[.5]",
        "[1e-1]",
        "[1_0]",
        "[\u0661]",
        "[1kb]",
        "[0x10]",
        "[1e3]",
        "[a]",
        "[[1]]",
        "[+1]",
    ],
)
def test_an_edge_that_may_mean_anything_is_refused(edges: str) -> None:
    assert set(mistakes(f"n: {{bucket: {edges}}}", raw([LONG]))) <= {"rule-operand", "wrong-shape"} != set()
    assert mistakes(f"n: {{bucket: {edges}}}", raw([LONG]))


def test_an_edge_beyond_the_fields_type_is_refused() -> None:
    assert mistakes("n: {bucket: [0, 2147483648]}", raw([LONG | {"type": "int"}])) == ["rule-operand"]
    assert mistakes("n: {bucket: [0, 2147483648]}", raw([LONG])) == []


def test_within_takes_at_most_4096_values() -> None:
    assert action("{within: [1, 4096]}", LONG) == Within(1, 4096)
    for wrong in ("[1, 4097]", "[2, 1]"):
        assert mistakes(f"n: {{within: {wrong}}}", raw([LONG])) == ["rule-operand"]
    for wrong in ("[1]", "[1, 2, 3]"):
        assert mistakes(f"n: {{within: {wrong}}}", raw([LONG])) == ["rule-operand"]
    assert mistakes("n: {within: [1KiB, 2KiB]}", raw([LONG])) == ["bad-value"] * 2


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ("1ms", 1),
        ("100ms", 100),
        ("30s", 30_000),
        ("1m", 60_000),
        ("15m", 900_000),
        ("1h", 3_600_000),
        ("1d", 86_400_000),
    ],
)
def test_a_time_is_truncated_to_a_part_of_a_day(step: str, meant: int) -> None:
    time = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
    assert action(f"{{truncate: {step}}}", time) == Truncate(meant)


@pytest.mark.parametrize(
    ("step", "check"), [("0ms", "bad-value"), ("2d", "bad-value"), ("7m", "rule-operand"), ("7ms", "rule-operand")]
)
def test_no_finer_no_coarser_and_no_odd_step(step: str, check: str) -> None:
    time = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
    assert mistakes(f"at: {{truncate: {step}}}", raw([time])) == [check]


def test_a_date_is_truncated_to_days_alone() -> None:
    date = {"name": "at", "type": {"type": "int", "logicalType": "date"}}
    assert action("{truncate: 1d}", date) == Truncate(86_400_000)
    assert mistakes("at: {truncate: 1h}", raw([date])) == ["rule-operand"]


def test_a_text_is_one_of_a_list_or_something_else() -> None:
    assert action("{one_of: [a, 1, yes]}", TEXT) == OneOf(("a", "1", "yes"))
    assert action("{one_of: [a], else: b}", TEXT) == OneOf(("a",), "b")
    assert action("{one_of: {list: regions}, else: ''}", TEXT) == OneOf(("eu", "us"), "", "regions")
    assert mistakes("t: {one_of: [a, a]}", raw([TEXT])) == ["bad-value"]
    assert mistakes("t: {one_of: []}", raw([TEXT])) == ["bad-value"]
    assert mistakes("t: {one_of: [a], else: }", raw([TEXT])) == ["bad-value"]
    assert mistakes("t: {one_of: {name: regions}}", raw([TEXT])) == ["missing-key", "unknown-key"]


def test_a_pattern_is_counted_out() -> None:
    assert action("{matches: 'v[12]', max: 2}", TEXT) == Matches("v[12]", 2, ("v1", "v2"))
    assert mistakes("t: {matches: 'v[12]'}", raw([TEXT])) == ["missing-key"]


@pytest.mark.parametrize(
    ("avro_type", "rule", "pairs"),
    [
        ("string", "{1: a, true: b}", (("1", "a"), ("true", "b"))),
        ("int", "{1: a, -2: b}", ((1, "a"), (-2, "b"))),
        ("boolean", "{true: a, false: b}", ((True, "a"), (False, "b"))),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "{B: b}", (("B", "b"),)),
    ],
)
def test_a_maps_keys_take_their_type_from_the_field(avro_type: Any, rule: str, pairs: tuple[Any, ...]) -> None:
    assert action(f"{{map: {rule}}}", {"name": "x", "type": avro_type}) == MapTo(pairs)


@pytest.mark.parametrize(
    ("avro_type", "rule", "check"),
    [
        ("int", "{a: b}", "bad-value"),
        ("int", "{2147483648: b}", "bad-value"),
        ("boolean", "{yes: b}", "rule-operand"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "{C: b}", "rule-operand"),
        ("string", "{}", "rule-operand"),
        ("string", "[a]", "wrong-shape"),
        ("string", "{a: [b]}", "wrong-shape"),
    ],
)
def test_a_map_of_what_the_field_cannot_say_is_refused(avro_type: Any, rule: str, check: str) -> None:
    assert mistakes(f"x: {{map: {rule}}}", raw([{"name": "x", "type": avro_type}])) == [check]


def test_items_are_counted_by_a_field_of_theirs() -> None:
    def array(avro_type: Any) -> dict[str, Any]:
        item = {"type": "record", "name": "R", "fields": [{"name": "s", "type": avro_type, "class": "metadata"}]}
        return {"name": "x", "max_items": 4, "type": {"type": "array", "items": item}}

    assert action("{count_where: {s: [3, 4, 3]}}", array("int")) == CountWhere("s", (3, 4))
    assert action("{count_where: {s: [true]}}", array(["null", "boolean"])) == CountWhere("s", (True,))
    for wrong in ("{t: [1]}", "{s: []}", "{s: [1], t: [1]}", "{s.t: [1]}", "{s: [x]}"):
        assert mistakes(f"x: {{count_where: {wrong}}}", raw([array("int")]))
    for unlike in ("double", "bytes", {"type": "int", "logicalType": "date"}):
        assert mistakes("x: {count_where: {s: [1]}}", raw([array(unlike)])) == ["rule-operand"]
