"""The information budget against the real minimizer: no body that is not counted, and none counted that cannot be."""

from __future__ import annotations

from random import Random

import pytest

from pipelines.contract.actions import CountWhere
from pipelines.contract.bits import view_bits
from pipelines.contract.bits.joint import joint_count
from pipelines.contract.model import Event, View
from pipelines.minimize import Fault, Minimized, compile_event
from tests.minimize.events import BROKER_MS, random_event
from tests.minimize.exhaust import every_body, every_outcome, joint_event, seeds, tiny_event
from tests.support.random_data import Speller, random_datum

pytestmark = [pytest.mark.slow, pytest.mark.scaled]

CONSTANT = b"\x00" * 16


def test_random_events_never_give_more_bodies_than_were_counted() -> None:
    tried, full = seeds(250), 0
    for seed in tried:
        rng = Random(seed)
        event = random_event(rng)
        seen = _sampled(rng, event, 400)
        for view, bodies in zip(event.views, seen, strict=True):
            counted = view_bits(event.versions, view).count
            assert len(bodies) <= counted, f"seed {seed}: {len(bodies)} bodies, {counted} counted"
            full += len(bodies) == counted > 1
    assert full > len(tried) // 5, "the samples come nowhere near the bound, so they show little"


def test_the_bodies_of_tiny_event_types_are_exactly_as_many_as_were_counted() -> None:
    tried, compared, over = seeds(600), 0, 0
    for seed in tried:
        event = tiny_event(Random(seed))
        bodies = every_body(event, 3_000)
        if bodies is None:
            continue
        view = event.views[0]
        counted = view_bits(event.versions, view).count
        if _items_tell_what_is_compared(view):
            assert len(bodies) <= counted, f"seed {seed}"
            over += 1
            continue
        assert len(bodies) == counted, f"seed {seed}: {len(bodies)} bodies, {counted} counted"
        compared += len(bodies) > 1
    assert compared > len(tried) // 3
    assert over


def test_all_views_of_a_purpose_together_say_no_more_of_an_event_than_was_counted() -> None:
    tried, compared, exact = seeds(200), 0, 0
    for seed in tried:
        event = joint_event(Random(seed))
        outcomes = every_outcome(event, 2_000)
        if not outcomes:
            continue
        late_ms = {view.topic: 3_600_000 for view in event.views}
        counted = joint_count(event.versions, event.views, late_ms)
        assert len(outcomes) <= counted, f"seed {seed}: {len(outcomes)} outcomes, {counted} counted"
        compared += len(outcomes) > 1
        exact += len(outcomes) == counted > 1
    assert compared > len(tried) // 2
    assert exact > len(tried) // 5, "the bound is far from what happens, so it shows little"


def _items_tell_what_is_compared(view: View) -> bool:
    """The one case in which the count is a bound: a `count_where` beside items that show what it compares."""
    return any(
        isinstance(rule.action, CountWhere) and any(_goes_into(other.path, rule.path) for other in view.rules)
        for rule in view.rules
    )


def _goes_into(path: object, array: object) -> bool:
    return str(path).startswith(f"{array}[]")


def _sampled(rng: Random, event: Event, count: int) -> list[set[bytes]]:
    program = compile_event(event)
    handlers = [lambda _: CONSTANT for _ in event.views]
    seen: list[set[bytes]] = [set() for _ in event.views]
    for _ in range(count):
        version = rng.choice(event.versions)
        value = Speller(rng).event(version.record, random_datum(rng, version.record), version.fingerprint)
        outcome = program.minimize(value, handlers, BROKER_MS)
        assert not isinstance(outcome, Fault)
        for bodies, made in zip(seen, outcome, strict=True):
            if isinstance(made, Minimized):
                bodies.add(made.value)
    return seen
