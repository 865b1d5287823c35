"""Linkage against the real minimizer: what two views share is what their bodies, taken together, fall into."""

from __future__ import annotations

from random import Random

import pytest

from pipelines.contract.linkage import share
from tests.minimize.exhaust import every_pair, twin_event

HOUR = 3_600_000


@pytest.mark.slow
def test_what_two_rules_share_is_what_the_bodies_of_all_events_fall_into() -> None:
    compared = 0
    for seed in range(1_500):
        event = twin_event(Random(seed))
        pairs = every_pair(event, 2_000)
        if not pairs:
            continue
        one, other = event.views
        counted = share(event.versions, one, other, HOUR).count
        rules = (
            f"seed {seed}: {one.rules[0].path} {one.rules[0].action} and {other.rules[0].path} {other.rules[0].action}"
        )
        assert _parts(pairs) == counted, rules
        compared += counted > 1
    assert compared > 400


def _parts(pairs: set[tuple[bytes, bytes]]) -> int:
    """By the plainest means: take one body, and all that any chain of events ties to it; then the next one."""
    left = set(pairs)
    parts = 0
    while left:
        parts += 1
        ones, others = ({side} for side in left.pop())
        while tied := {pair for pair in left if pair[0] in ones or pair[1] in others}:
            left -= tied
            ones |= {one for one, _ in tied}
            others |= {other for _, other in tied}
    return parts
