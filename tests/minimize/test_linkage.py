"""Linkage against the real minimizer: by brute force over every event of small event types."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations, product
from math import factorial, prod
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contract.avro import Array, Map, Record
from pipelines.contract.bits.places import Place, hops, reached
from pipelines.contract.linkage import Shared, Side, share
from pipelines.contract.linkage.bipartite import largest_matching
from pipelines.contract.model import Event, View
from tests.minimize.exhaust import Pair, chances, every_pair, leaf_event, seeds, twin_event, wide_twins

pytestmark = [pytest.mark.slow, pytest.mark.scaled]

HOUR = 3_600_000
RECORDS = 3
FAINT = 1e-9
SEEDS = st.integers(0, 2**32)
PATIENT = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def test_what_two_rules_share_of_a_leaf_is_the_largest_matching_of_the_bodies_of_all_events() -> None:
    tried, exact = seeds(1_500), 0
    for seed in tried:
        event = twin_event(Random(seed))
        pairs = every_pair(event, 2_000)
        if not pairs:
            continue
        one, other = event.views
        counted = shared(event).kinds
        rules = (
            f"seed {seed}: {one.rules[0].path} {one.rules[0].action} and {other.rules[0].path} {other.rules[0].action}"
        )
        most = largest_matching(pairs)
        if _of_a_container(event):
            assert most <= counted, rules
        else:
            assert most == counted, rules
            exact += counted > 1
    assert exact > len(tried) * 2 // 15


def _of_a_container(event: Event) -> bool:
    """Whether a rule is about an array or a map as a whole, of which the smaller side's sequences are counted."""
    found = [reached(Place(event.versions[0].record), hops(view.rules[0])).type for view in event.views]
    items = any(step.items for view in event.views for step in view.rules[0].path.steps)
    return items or any(isinstance(kind, Array | Map | Record) for kind in found)


@given(SEEDS)
@PATIENT
def test_no_matcher_finds_more_right_pairs_than_independent_fields_allow(seed: int) -> None:
    rng = Random(seed)
    event = wide_twins(rng)
    pairs = chances(rng, event, 600)
    if pairs is None or len(pairs) > 20:
        return
    counted = shared(event)
    expected = right_pairs(pairs)
    assert expected <= counted.kinds + FAINT, f"{expected} of {RECORDS}, {counted.kinds} counted"


@given(SEEDS)
@PATIENT
def test_no_matcher_finds_more_right_pairs_than_the_ceiling_whatever_depends_on_what(seed: int) -> None:
    rng = Random(seed)
    event = wide_twins(rng)
    pairs = every_pair(event, 600)
    if not pairs or len(pairs) > 20:
        return
    drawn = {pair: rng.choice((0.0, 0.05, 1.0)) for pair in sorted(pairs)}
    total = sum(drawn.values())
    if not total:
        return
    counted = shared(event)
    expected = right_pairs({pair: chance / total for pair, chance in drawn.items() if chance})
    assert expected <= counted.ceiling // counted.moments + FAINT


def test_no_two_purposes_share_more_of_one_field_in_all_their_topics_than_is_counted() -> None:
    """The largest matching of all sets of records that each purpose has of one event, in one to three topics each."""
    tried, several, exact = seeds(1_500), 0, 0
    for seed in tried:
        event = leaf_event(Random(seed))
        found = every_pair(event, 2_000)
        if not found:
            continue
        counted, most = shared(event), largest_matching(found)
        assert most <= counted.kinds, f"seed {seed}: {[(view.topic, view.rules[0].action) for view in event.views]}"
        one, other = (len({pair[side] for pair in found}) for side in (0, 1))
        assert min(one, other) * counted.moments <= counted.ceiling
        several += max(map(len, counted.views)) > 1
        exact += most == counted.kinds > 1 and max(map(len, counted.views)) > 1
    assert several > len(tried) // 3
    assert exact > len(tried) // 8


@given(SEEDS)
@PATIENT
def test_no_matcher_finds_more_right_pairs_in_all_topics_than_independent_fields_allow(seed: int) -> None:
    rng = Random(seed)
    event = wide_twins(rng, rng.choice((3, 4)))
    pairs = chances(rng, event, 600)
    if pairs is None or len(pairs) > 20:
        return
    counted = shared(event)
    expected = right_pairs(pairs)
    assert expected <= counted.kinds + FAINT, f"{expected} of {RECORDS}, {counted.kinds} counted"


@given(SEEDS)
@PATIENT
def test_no_matcher_finds_more_right_pairs_in_all_topics_than_the_ceiling(seed: int) -> None:
    rng = Random(seed)
    event = wide_twins(rng, rng.choice((3, 4)))
    found = every_pair(event, 600)
    if not found or len(found) > 20:
        return
    drawn = {pair: rng.choice((0.0, 0.05, 1.0)) for pair in sorted(found)}
    total = sum(drawn.values())
    if not total:
        return
    counted = shared(event)
    expected = right_pairs({pair: chance / total for pair, chance in drawn.items() if chance})
    assert expected <= counted.ceiling // counted.moments + FAINT


def shared(event: Event) -> Shared:
    """What the two purposes of an event type's views share, by topics of an hour."""
    ttls = {view.topic: HOUR for view in event.views}
    purposes: dict[str, list[View]] = defaultdict(list)
    for view in event.views:
        purposes[view.purpose].append(view)
    one, other = (Side.of(event.versions, tuple(views), ttls, ttls) for _, views in sorted(purposes.items()))
    return share(event.versions, one, other)


def test_a_matcher_finds_as_many_right_pairs_as_there_are_in_the_largest_matching() -> None:
    """The bound is met: of classes that are matched one to one, records that fall into all of them are all found."""
    a, b, c, d = ((body,) for body in (b"a", b"b", b"c", b"d"))
    assert right_pairs({(a, a): 1 / 2, (b, b): 1 / 2}) > 1
    assert right_pairs({(one, other): 1 / 4 for one in (a, b) for other in (c, d)}) == pytest.approx(1)


def right_pairs(chances: dict[Pair, float]) -> float:
    """How many of some records the best matcher puts together rightly, on average, who knows how likely all pairs are.

    It sees both sides of independent records, each side in an order of its own, and gives each record of one side
    another one of the other. By brute force over all records and orders.
    """
    orders = list(permutations(range(RECORDS)))
    total = 0.0
    given_: dict[tuple[tuple[tuple[bytes, ...], ...], ...], list[float]] = defaultdict(lambda: [0.0] * len(orders))
    for records in product(chances.items(), repeat=RECORDS):
        lefts = tuple(pair[0] for pair, _ in records)
        rights = [pair[1] for pair, _ in records]
        if list(lefts) != sorted(lefts):
            continue  # the same records in another order: counted by their number
        times = factorial(RECORDS) // prod(factorial(lefts.count(one)) for one in set(lefts))
        chance = times * prod(chance for _, chance in records) / len(orders)
        for number, order in enumerate(orders):
            seen = tuple(rights[order.index(place)] for place in range(RECORDS))
            given_[lefts, seen][number] += chance
    for posterior in given_.values():
        total += max(
            sum(
                chance * sum(mine == theirs for mine, theirs in zip(guess, order, strict=True))
                for order, chance in zip(orders, posterior, strict=True)
                if chance
            )
            for guess in orders
        )
    return total
