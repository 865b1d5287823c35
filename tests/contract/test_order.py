"""The order of actions against a count of what each tells of every value of a small world."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.actions import Action, Bucket, Keep, MapTo, Matches, OneOf, Present, Truncate, Within
from pipelines.contract.avro import AvroType, Enum, Primitive
from pipelines.contract.changes.order import Order, order

TEXTS = ["a", "b", "c", "d"]
NUMBERS = range(-3, 13)
INT, STRING = Primitive("int"), Primitive("string")
WORDS = st.lists(st.sampled_from(TEXTS[:3]), min_size=1, unique=True).map(tuple)
ELSE = st.sampled_from([None, "other", "a"])
PAIRS = st.dictionaries(st.sampled_from(TEXTS[:3]), st.sampled_from(["x", "y", "a"]), min_size=1)
OF_TEXT = st.one_of(
    st.builds(OneOf, WORDS, ELSE),
    st.builds(lambda pairs, rest: MapTo(tuple(pairs.items()), rest), PAIRS, ELSE),
    WORDS.map(lambda words: Matches("unused", 1, words)),
)
SPANS = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda ends: Within(min(ends), max(ends)))
OF_NUMBER = st.one_of(
    SPANS, st.lists(st.integers(0, 9), min_size=1, unique=True).map(lambda edges: Bucket(tuple(sorted(edges))))
)


def outcome(action: Action, raw: str | int) -> object:
    """What a record says, or None when it is held back: written apart from the code under test."""
    match action:
        case OneOf(values, otherwise):
            return raw if raw in values else otherwise
        case Matches(strings=strings):
            return raw if raw in strings else None
        case MapTo(pairs, otherwise):
            return dict(pairs).get(raw, otherwise)
        case Within(low, high):
            return raw if isinstance(raw, int) and low <= raw <= high else None
        case Bucket(edges):
            return max((edge for edge in edges if isinstance(raw, int) and edge <= raw), default=None)
    raise AssertionError(action)


def tells_no_more(one: Action, other: Action, world: list[str] | range) -> bool:
    """Whether no two raw values look alike to the other but not to the one, and silence stays silence."""
    alike = all(
        outcome(one, x) == outcome(one, y) for x, y in product(world, world) if outcome(other, x) == outcome(other, y)
    )
    return alike and all(outcome(one, x) is None for x in world if outcome(other, x) is None)


def expected(old: Action, new: Action, world: list[str] | range) -> Order:
    less, more = tells_no_more(new, old, world), tells_no_more(old, new, world)
    return {(True, True): Order.SAME, (True, False): Order.COARSER, (False, True): Order.FINER}.get(
        (less, more), Order.APART
    )


@given(OF_TEXT, OF_TEXT)
def test_texts_are_ordered_as_a_count_of_all_texts_says(old: Action, new: Action) -> None:
    assert order(old, new, (STRING, STRING)) is expected(old, new, TEXTS)


@given(OF_NUMBER, OF_NUMBER)
def test_numbers_are_ordered_as_a_count_of_all_numbers_says(old: Action, new: Action) -> None:
    assert order(old, new, (INT, INT)) is expected(old, new, NUMBERS)


SIDES = Enum("Side", ("LEFT", "RIGHT", "BOTH"))
MERGED = MapTo((("LEFT", "one"), ("RIGHT", "one"), ("BOTH", "both")))
RENAMED = MapTo((("LEFT", "l"), ("RIGHT", "r"), ("BOTH", "b")))
HOUR = 3_600_000
PAIRED: list[tuple[Action, Action, AvroType, Order]] = [
    (Keep(), MERGED, SIDES, Order.COARSER),
    (Keep(), RENAMED, SIDES, Order.SAME),
    (MERGED, MapTo(MERGED.pairs, "rest"), SIDES, Order.SAME),
    (MapTo(MERGED.pairs[:2]), MERGED, SIDES, Order.FINER),
    (Truncate(HOUR), Truncate(24 * HOUR), Primitive("long", "timestamp-millis"), Order.COARSER),
    (Truncate(6 * HOUR), Truncate(8 * HOUR), Primitive("long", "timestamp-millis"), Order.APART),
    (Within(0, 9), Present(), INT, Order.COARSER),
    (Present(), Bucket((0,)), INT, Order.FINER),
    (Keep(), MapTo(((True, "yes"), (False, "no"))), Primitive("boolean"), Order.SAME),
    (Keep(), MapTo(((True, "yes"),), "yes"), Primitive("boolean"), Order.COARSER),
    (OneOf(("a",)), OneOf(("a",), "other"), STRING, Order.FINER),
]


@pytest.mark.parametrize(("old", "new", "raw", "how"), PAIRED)
def test_pairs_of_actions_are_ordered_both_ways(old: Action, new: Action, raw: AvroType, how: Order) -> None:
    back = {Order.COARSER: Order.FINER, Order.FINER: Order.COARSER}.get(how, how)
    assert (order(old, new, (raw, raw)), order(new, old, (raw, raw))) == (how, back)
