"""Edges with a fraction: the numbers of the field's own type, whatever is written, and counted exactly."""

from __future__ import annotations

import struct
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.actions import Bucket
from pipelines.contract.avro import Primitive
from pipelines.contract.bits import view_bits
from pipelines.contract.bits.places import Place, Want
from pipelines.contract.changes.order import Order, order
from pipelines.contract.floats import nearest, next_above, next_below
from pipelines.contract.linkage.meeting import meet
from pipelines.contract.model import Event
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.minimize.reference import minimize_event
from tests.contract.parts import mistakes, raw, view
from tests.minimize.events import BROKER_MS

FORMS = {"float": "<f", "double": "<d"}
NAMES = st.sampled_from(sorted(FORMS))
EDGES = st.lists(st.decimals(-1_000, 1_000, places=9).map(lambda one: f"{one:f}"), min_size=1, max_size=6)


def event_with(edges: list[str], name: str) -> tuple[Event, Bucket, int]:
    """The event type of one field with these edges, its action, and how many bodies a record can have."""
    schema = raw([{"name": "n", "type": name}])
    draft, report = view(f"n: {{bucket: [{', '.join(edges)}]}}", schema)
    assert draft.view is not None, report.mistakes
    action = draft.view.rules[0].action
    assert isinstance(action, Bucket)
    return Event("made.up", (schema,), (draft.view,), ()), action, view_bits((schema,), draft.view).count


def said_of(event: Event, value: float, name: str) -> float | None:
    """What the record says of a value, by the walk and by the reference alike; None: it is out of bound."""
    sent = b"\xc3\x01" + event.versions[0].fingerprint + struct.pack(FORMS[name], value)
    outcome = compile_event(event).minimize(sent, [lambda one: one], BROKER_MS)
    assert isinstance(outcome, list)
    assert outcome == minimize_event(event, sent, [lambda one: one], BROKER_MS)
    made = outcome[0]
    if not isinstance(made, Minimized):
        assert made == Fault("out_of_range", "n")
        return None
    body = made.value[10:]
    return struct.unpack(FORMS[name], body)[0] if len(body) == struct.calcsize(FORMS[name]) else None


@given(said=st.decimals(-(10**18), 10**18, places=12), name=NAMES)
def test_a_number_is_rounded_once_to_the_nearest_of_its_type(said: Decimal, name: str) -> None:
    stored = nearest(Fraction(said), name)
    assert stored is not None
    assert struct.unpack(FORMS[name], struct.pack(FORMS[name], stored))[0] == stored
    away = abs(Fraction(stored) - Fraction(said))
    assert all(away <= abs(Fraction(beside(stored, name)) - Fraction(said)) for beside in (next_below, next_above))


def test_rounding_twice_would_give_another_float() -> None:
    between = Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**60)  # a little above the middle of two floats
    assert float(between) == 1 + 2**-24
    assert nearest(between, "float") == 1 + 2**-23
    assert struct.unpack("<f", struct.pack("<f", float(between)))[0] == 1


@given(edges=EDGES, name=NAMES)
def test_a_value_written_as_an_edge_begins_its_range_and_the_next_lower_one_does_not(
    edges: list[str], name: str
) -> None:
    ordered = sorted({nearest(Fraction(edge), name): edge for edge in edges}.items())
    if all(Fraction(edge).denominator == 1 for _, edge in ordered):
        return
    event, action, count = event_with([edge for _, edge in ordered], name)
    marks = [mark for mark, _ in ordered if mark is not None]
    assert action.edges == tuple(marks)
    below = [said_of(event, next_below(mark, name), name) for mark in marks]
    assert [said_of(event, mark, name) for mark in marks] == marks
    assert below == [None, *marks[:-1]]
    assert count == len(marks)


@pytest.mark.parametrize(("name", "at_least"), [("float", 0.699999988079071), ("double", 0.7)])
def test_seven_tenths_are_what_the_type_holds(name: str, at_least: float) -> None:
    event, action, _ = event_with(["0", "0.7"], name)
    assert action.edges == (0.0, at_least)
    assert said_of(event, at_least, name) == at_least
    assert said_of(event, next_below(at_least, name), name) == 0
    assert said_of(event, float("nan"), name) is None
    assert said_of(event, float("inf"), name) == at_least
    assert said_of(event, -0.0, name) == 0


def test_whole_edges_are_written_as_longs_as_before() -> None:
    _, action, _ = event_with(["0", "1.0", "2"], "double")
    assert action == Bucket((0, 1, 2))
    assert not action.fractional


@pytest.mark.parametrize(
    ("edges", "field"),
    [
        ("[0.5]", {"type": "int"}),
        ("[0.5]", {"type": "long"}),
        ("[0.5]", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}),
        ("[0.10000000001, 0.10000000002]", {"type": "float"}),
        ("[0.5, 0.5]", {"type": "double"}),
        ("[0.5, 0.4]", {"type": "double"}),
        ("[0.1234567890123456789]", {"type": "double"}),
        ("[1ms]", {"type": "long"}),
    ],
)
def test_fractions_that_the_field_does_not_tell_apart_are_refused(edges: str, field: dict[str, Any]) -> None:
    plain = {"name": "n", "type": field["type"]} if len(field) == 1 else {"name": "n", "type": field}
    assert mistakes(f"n: {{bucket: {edges}}}", raw([plain])) == ["rule-operand"]


def test_ms_of_a_field_in_seconds_is_a_fraction_for_doubles_alone() -> None:
    assert mistakes("wait_s: {bucket: [250ms]}", raw([{"name": "wait_s", "type": "long"}])) == ["rule-operand"]
    draft, _ = view("wait_s: {bucket: [0, 250ms]}", raw([{"name": "wait_s", "type": "double"}]))
    assert draft.resolved[0].rule.action == Bucket((0.0, 0.25))


@given(one=EDGES, other=EDGES, name=NAMES)
def test_what_two_sets_of_edges_share_and_which_tells_more_is_counted_by_trying_values(
    one: list[str], other: list[str], name: str
) -> None:
    actions = []
    for edges in (one, other):
        marks = sorted({mark for edge in (*edges, "0.5") if (mark := nearest(Fraction(edge), name)) is not None})
        actions.append(Bucket(tuple(marks)))
    marks = sorted({edge for action in actions for edge in action.edges})
    tried = [*(next_below(mark, name) for mark in marks), *marks]

    def lower(action: Bucket, value: float) -> float | None:
        return max((edge for edge in action.edges if edge <= value), default=None)

    pairs = {(lower(actions[0], value), lower(actions[1], value)) for value in tried}
    both = {pair for pair in pairs if None not in pair}
    # Ranges of two partitions of a line overlap as a chain does, whose largest matching is found greedily.
    matched, left, right = 0, set[float | None](), set[float | None]()
    for first, second in sorted(both):  # type: ignore[type-var]
        if first not in left and second not in right:
            matched, left, right = matched + 1, left | {first}, right | {second}
    one_side, other_side = ((Want((), action),) for action in actions)
    assert meet(one_side, other_side, (1, 1), [Place(Primitive(name))]) == matched  # type: ignore[arg-type]
    finer = all(len({second for first, second in pairs if first == edge}) <= 1 for edge in {f for f, _ in pairs})
    coarser = order(*actions, (Primitive(name), Primitive(name))) in (Order.COARSER, Order.SAME)  # type: ignore[arg-type]
    held = {second for first, second in pairs if first is None} <= {None}
    assert coarser == (finer and held)
    assert all(before < after for before, after in pairwise(marks))
