"""Every action on every Avro type: it works, with the output that the table promises, or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.contract.policy import ACTIONS
from tests.contract.parts import output, raw, view


def logical(avro_type: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": avro_type, "logicalType": name, **more}


def enum(symbols: int) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": [f"S{number}" for number in range(symbols)]}


def record() -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "id", "type": "string", "class": "metadata"}]}


FIXED = {"type": "fixed", "name": "F", "size": 16}
TYPES: dict[str, Any] = {
    "boolean": "boolean",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "bytes": "bytes",
    "string": "string",
    "enum": enum(64),
    "large enum": enum(65),
    "fixed": FIXED,
    "decimal bytes": logical("bytes", "decimal", precision=9, scale=2),
    "decimal fixed": FIXED | {"logicalType": "decimal", "precision": 9, "scale": 2},
    "big-decimal": logical("bytes", "big-decimal"),
    "uuid string": logical("string", "uuid"),
    "uuid fixed": FIXED | {"logicalType": "uuid"},
    "date": logical("int", "date"),
    "time-millis": logical("int", "time-millis"),
    "time-micros": logical("long", "time-micros"),
    "timestamp-millis": logical("long", "timestamp-millis"),
    "timestamp-micros": logical("long", "timestamp-micros"),
    "timestamp-nanos": logical("long", "timestamp-nanos"),
    "local-timestamp-millis": logical("long", "local-timestamp-millis"),
    "local-timestamp-micros": logical("long", "local-timestamp-micros"),
    "local-timestamp-nanos": logical("long", "local-timestamp-nanos"),
    "duration": {"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"},
    "array of strings": {"type": "array", "items": "string"},
    "array of records": {"type": "array", "items": record()},
    "array of arrays": {"type": "array", "items": {"type": "array", "items": "int"}},
    "map of strings": {"type": "map", "values": "string"},
    "map of records": {"type": "map", "values": record()},
    "record": record(),
}
RULES = {
    "keep": "keep",
    "within": "{within: [0, 9]}",
    "bucket": "{bucket: [0, 9]}",
    "truncate": "{truncate: 1d}",
    "one_of": "{one_of: [a, b]}",
    "matches": "{matches: 'a|b', max: 1}",
    "map": "{map: {S0: a}}",
    "count": "count",
    "count_where": "{count_where: {id: [a]}}",
    "present": "present",
    "handle": "handle",
}
TIMES = {"timestamp-millis", "timestamp-micros", "timestamp-nanos", "date"}
WORKS: dict[str, set[str]] = {
    "keep": {"boolean", "enum"},
    "within": {"int", "long"},
    "bucket": {"int", "long", "float", "double", "decimal bytes", "decimal fixed"},
    "truncate": TIMES,
    "one_of": {"string"},
    "matches": {"string"},
    "map": {"string", "enum", "large enum", "int", "boolean"},
    "count": {"array of strings", "array of records", "array of arrays", "map of strings", "map of records"},
    "count_where": {"array of records"},
    "present": set(TYPES),
    "handle": {"string", "bytes", "fixed", "uuid string", "uuid fixed"},
}
KEYS = {"int": "1", "boolean": "true"}  # what `map` may be asked about in a field of that type
NAMESPACE = "minimized.network_metadata.support.vpn.session"
GIVES: dict[str, Any] = {
    "bucket": "long",
    "one_of": "string",
    "matches": "string",
    "map": "string",
    "count": "int",
    "count_where": "int",
    "present": "boolean",
    "handle": {"type": "fixed", "name": "x", "namespace": NAMESPACE, "size": 16},
}


def field(avro_type: Any, *, null: bool = False) -> dict[str, Any]:
    bound = {"max_items": 4} if isinstance(avro_type, dict) and avro_type["type"] == "array" else {}
    class_ = {"class": "metadata"} if isinstance(avro_type, dict) and avro_type["type"] == "map" else {}
    return {"name": "x", "type": ["null", avro_type] if null else avro_type, **bound, **class_}


def rule(action: str, label: str) -> str:
    return f"x: {RULES[action].replace('S0', KEYS.get(label, 'S0'))}"


def expected(action: str, label: str) -> Any:
    """The output's type; `keep`, `within` and `truncate` write what they read."""
    if action in GIVES:
        return GIVES[action]
    same = TYPES[label]
    return same | {"name": "x", "namespace": NAMESPACE} if label == "enum" else same


def test_the_table_walks_every_action() -> None:
    assert ACTIONS.keys() == RULES.keys() == WORKS.keys()


@pytest.mark.parametrize("label", TYPES)
@pytest.mark.parametrize("action", RULES)
def test_an_action_works_on_the_types_of_the_table_and_is_refused_by_name_on_others(action: str, label: str) -> None:
    schema = raw([field(TYPES[label])])
    if label in WORKS[action]:
        assert output(rule(action, label), schema) == [{"name": "x", "type": expected(action, label)}]
        return
    draft, report = view(rule(action, label), schema)
    assert draft.view is None
    assert [check for check, _ in report.mistakes] == ["action-type"]
    assert f"`{action}` does not apply to" in report.mistakes[0][1].message


@pytest.mark.parametrize(("action", "label"), [(action, label) for action in RULES for label in sorted(WORKS[action])])
def test_null_gives_null_but_presence_is_never_null(action: str, label: str) -> None:
    type_ = expected(action, label)
    wanted = type_ if action == "present" else ["null", type_]
    assert output(rule(action, label), raw([field(TYPES[label], null=True)])) == [{"name": "x", "type": wanted}]
