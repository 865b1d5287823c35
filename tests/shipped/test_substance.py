"""The shipped contract is a real one: none of its parts is quietly thin."""

from collections import Counter
from collections.abc import Iterator

import pytest

from pipelines.contract import actions as do
from pipelines.contract.avro import (
    Array,
    AvroType,
    Enum,
    Field,
    FieldClass,
    Fixed,
    Map,
    Nullable,
    Primitive,
    Record,
    not_null,
)
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract, Event, Rule
from pipelines.contract.path import Path

EVENT_TYPES = (
    "ota.eligibility-check",
    "ota.install",
    "posture.attestation",
    "posture.report",
    "proxy.policy-decision",
    "proxy.request",
    "tor.circuit",
    "vpn.policy-decision",
    "vpn.session",
)
CATEGORIES = {"device-lifecycle", "os-security-state", "network-metadata", "threat-intelligence", "audit"}
DEVICE_PURPOSES = {
    "security-enforcement",
    "threat-detection",
    "policy-assignment",
    "device-management",
    "ota-eligibility",
    "remote-attestation",
    "audit-correlation",
}
PURPOSES = DEVICE_PURPOSES | {"network-policy-review", "ota-release-review", "support", "circuit-health"}
every_event_type = pytest.mark.parametrize("name", EVENT_TYPES)


def test_the_nine_event_types_are_there_and_no_other(shipped: Contract) -> None:
    assert sorted(shipped.events) == list(EVENT_TYPES)


@every_event_type
def test_an_event_type_has_the_breadth_of_a_real_one(shipped: Contract, name: str) -> None:
    """12 to 25 fields, several of them nested, so that there are more leaves than fields."""
    for raw in shipped.events[name].versions:
        leaves = list(_leaves(raw.record))
        assert 12 <= len(raw.record.fields) <= 25
        assert len(leaves) > len(raw.record.fields)
        assert sum(isinstance(field.type, Nullable) for field in _fields(raw.record)) >= 1
        assert sum(isinstance(not_null(field.type), Record | Array | Map) for field in raw.record.fields) >= 2


@every_event_type
def test_an_event_type_carries_content_identifiers_and_secrets_to_drop(shipped: Contract, name: str) -> None:
    for raw in shipped.events[name].versions:
        classes = Counter(field.class_ for _, field in _leaves(raw.record))
        assert classes[FieldClass.CONTENT] >= 1
        assert classes[FieldClass.DEVICE_IDENTIFIER] >= 1
        assert (
            classes[FieldClass.CONTENT] + classes[FieldClass.NETWORK_IDENTIFIER] + classes[FieldClass.CREDENTIAL] >= 4
        )
        assert classes[FieldClass.EVENT_ID] == 1


@every_event_type
def test_an_event_type_names_its_device_by_the_same_kind_of_id(shipped: Contract, name: str) -> None:
    """So that a purpose's handles of one device agree, whichever product speaks."""
    for raw in shipped.events[name].versions:
        field = raw.record.field("device_id")
        assert field is not None
        assert field.type == Primitive("string", "uuid")
        assert field.class_ is FieldClass.DEVICE_IDENTIFIER
        others = [
            other.name
            for other in raw.record.fields
            if other.class_ is FieldClass.DEVICE_IDENTIFIER and other.name != "device_id"
        ]
        assert not others


@every_event_type
def test_every_leaf_is_dropped_with_a_reason_or_used(shipped: Contract, name: str) -> None:
    event = shipped.events[name]
    assert all(len(never.reason) > 6 for never in event.never)
    assert event.never
    assert len(event.never) + sum(len(view.rules) for view in event.views) >= 12


def test_at_least_six_event_types_have_two_views_and_every_view_says_something(shipped: Contract) -> None:
    views = {name: event.views for name, event in shipped.events.items()}
    assert all(views.values())
    assert sum(len(of_event) >= 2 for of_event in views.values()) >= 6
    assert sum(map(len, views.values())) >= 20
    assert all(len(view.rules) >= 5 for of_event in views.values() for view in of_event)


def test_event_types_in_two_versions_add_a_field_drop_one_and_grow_an_enum(shipped: Contract) -> None:
    grown = [event for event in shipped.events.values() if len(event.versions) >= 2]
    assert len(grown) >= 2
    added, dropped, symbols, retyped = 0, 0, 0, 0
    for event in grown:
        old, new = (dict(_leaves(raw.record)) for raw in event.versions[:2])
        added += len(new.keys() - old.keys())
        dropped += len(old.keys() - new.keys())
        for path in old.keys() & new.keys():
            before, after = _inner(old[path].type), _inner(new[path].type)
            symbols += isinstance(before, Enum) and isinstance(after, Enum) and before.symbols != after.symbols
            retyped += type(before) is type(after) is Primitive and before != after
    assert added >= 6
    assert dropped >= 2
    assert symbols >= 3
    assert retyped >= 1


def test_every_kind_of_avro_type_occurs(shipped: Contract) -> None:
    types = {shape for event in shipped.events.values() for raw in event.versions for shape in _shapes(raw.record)}
    for shape in (
        *("boolean", "int", "long", "float", "double", "bytes", "string", "enum", "fixed", "record"),
        *("array of string", "array of bytes", "array of enum", "array of record"),
        *("map of string", "map of int", "map of long", "map of boolean", "map of array", "map of record"),
        *("null or string", "null or bytes", "null or enum", "null or fixed", "null or record", "null or boolean"),
        *("string uuid", "fixed uuid", "long timestamp-millis", "long timestamp-micros", "int date", "int time-millis"),
        *("bytes decimal", "fixed decimal"),
    ):
        assert shape in types


def test_every_action_is_used_on_every_family_of_types_that_a_product_has(shipped: Contract) -> None:
    used = {
        (type(rule.action), _family(_type_at(event, rule.path)))
        for event in shipped.events.values()
        for rule in _rules(event)
    }
    expected = {
        do.Keep: {"boolean", "enum"},
        do.Within: {"int", "long"},
        do.Bucket: {"int", "long", "float", "double", "decimal"},
        do.Truncate: {"timestamp-millis", "timestamp-micros", "date"},
        do.OneOf: {"string"},
        do.Matches: {"string"},
        do.MapTo: {"string", "enum", "int", "boolean"},
        do.Count: {"array", "map"},
        do.CountWhere: {"array"},
        do.Present: {"array", "record", "string"},
        do.Handle: {"uuid", "fixed"},
    }
    for action, families in expected.items():
        assert {(action, family) for family in families} <= used


def test_the_forms_of_a_rule_are_all_used(shipped: Contract) -> None:
    rules = [rule for event in shipped.events.values() for rule in _rules(event)]
    vocabularies = [rule.action for rule in rules if isinstance(rule.action, do.OneOf)]
    assert {action.list_name is None for action in vocabularies} == {True, False}
    assert {action.otherwise is None for action in vocabularies} == {True, False}
    assert {rule.action.otherwise is None for rule in rules if isinstance(rule.action, do.MapTo)} == {True, False}
    assert sum(rule.name != "_".join(step.field for step in rule.path.steps) for rule in rules) >= 10
    assert sum(rule.path.steps[-1].items for rule in rules) >= 3
    assert sum(any(step.items for step in rule.path.steps[:-1]) for rule in rules) >= 6
    assert sum(rule.path.steps[-1].key is not None for rule in rules) >= 5
    assert sum(any(step.key is not None for step in rule.path.steps[:-1]) for rule in rules) >= 2


def test_the_purposes_are_there_with_the_handles_that_they_need(shipped: Contract) -> None:
    handles = {name: purpose.handle for name, purpose in shipped.purposes.items()}
    assert handles.keys() == PURPOSES
    assert {name for name, handle in handles.items() if handle == "device"} == DEVICE_PURPOSES
    assert {name for name, handle in handles.items() if handle == "account"} == {"network-policy-review", "support"}
    assert all(purpose.review is not None for purpose in shipped.purposes.values())


def test_a_tor_circuit_says_nothing_of_anybody(shipped: Contract) -> None:
    (view,) = shipped.events["tor.circuit"].views
    assert shipped.purposes[view.purpose].handle is None
    assert not any(isinstance(rule.action, do.Handle) for rule in view.rules)
    assert view.step_ms >= HOUR_MS


def test_the_topics_cover_the_categories_with_ttls_fit_for_them(shipped: Contract) -> None:
    assert {name.partition(".")[0] for name in shipped.topics} == CATEGORIES
    assert {name.partition(".")[2] for name in shipped.topics} == PURPOSES
    for name, topic in shipped.topics.items():
        days = topic.ttl_ms / DAY_MS
        match name.partition(".")[0]:
            case "network-metadata":
                assert 1 <= days <= 3
            case "audit":
                assert days == 400
            case _:
                assert days <= 30
        assert topic.consumers
        assert min(len(topic.basis.product), len(topic.basis.security), len(topic.basis.legal)) >= 4
    assert all(topic.ttl_ms <= 72 * HOUR_MS and topic.producers for topic in shipped.raw_topics.values())


def _rules(event: Event) -> Iterator[Rule]:
    for view in event.views:
        yield from view.rules


def _fields(record: Record) -> Iterator[Field]:
    for field in record.fields:
        yield field
        inner = _inner(field.type)
        if isinstance(inner, Record):
            yield from _fields(inner)


def _leaves(record: Record, prefix: str = "") -> Iterator[tuple[str, Field]]:
    for field in record.fields:
        inner = _inner(field.type)
        if isinstance(inner, Record):
            yield from _leaves(inner, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


def _inner(avro_type: AvroType) -> AvroType:
    match avro_type:
        case Nullable(inner) | Array(inner) | Map(inner):
            return _inner(inner)
        case _:
            return avro_type


def _shapes(avro_type: AvroType) -> Iterator[str]:
    match avro_type:
        case Nullable(inner):
            yield f"null or {_word(inner)}"
            yield from _shapes(inner)
        case Array(inner):
            yield f"array of {_word(inner)}"
            yield from _shapes(inner)
        case Map(inner):
            yield f"map of {_word(inner)}"
            yield from _shapes(inner)
        case Record(_, fields):
            yield "record"
            for field in fields:
                yield from _shapes(field.type)
        case Primitive(_, logical) | Fixed(_, _, logical):
            yield _word(avro_type)
            if logical:
                yield f"{_word(avro_type)} {logical}"
        case Enum():
            yield "enum"


def _word(avro_type: AvroType) -> str:
    return avro_type.name if isinstance(avro_type, Primitive) else type(avro_type).__name__.lower()


def _family(avro_type: AvroType) -> str:
    logical = getattr(avro_type, "logical", None)
    return str(logical) if logical else _word(avro_type)


def _type_at(event: Event, path: Path) -> AvroType:
    for raw in reversed(event.versions):
        at: AvroType | None = raw.record
        for step in path.steps:
            field = at.field(step.field) if isinstance(at, Record) else None
            at = None if field is None else not_null(field.type)
            if isinstance(at, Array) and step.items:
                at = not_null(at.items)
            if isinstance(at, Map) and step.key is not None:
                at = not_null(at.values)
        if at is not None:
            return at
    raise AssertionError(path)
