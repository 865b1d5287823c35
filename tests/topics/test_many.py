"""A thousand topics: made, found as planned, verified and changed, in a time that grows with their number at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipelines.broker import EmbeddedKafka
from pipelines.contract.model import DAY_MS, Contract
from pipelines.topics.applying import apply, create_missing
from pipelines.topics.looking import look_around
from pipelines.topics.planning import plan
from pipelines.topics.verifying import verify
from tests.topics.contracts import MakeContract, names

TOPICS = 1_000


@pytest.fixture
def many(make_contract: MakeContract) -> Contract:
    """A contract of a thousand minimized topics of one partition."""
    contract = make_contract()
    (one,) = contract.topics.values()
    made = (replace(one, name=f"{one.name}-{number}", partitions=1) for number in range(TOPICS))
    return replace(contract, topics={topic.name: topic for topic in made})


@pytest.mark.long
def test_a_thousand_topics_are_made_verified_and_changed(
    private_kafka: EmbeddedKafka, many: Contract, record_property: Callable[[str, object], None]
) -> None:
    cluster, began = private_kafka.cluster, time.monotonic()

    def lap(what: str) -> None:
        nonlocal began
        record_property(f"{TOPICS} topics: {what}, s", round(time.monotonic() - began, 1))
        began = time.monotonic()

    create_missing(many, cluster, "tests")
    lap("made")
    assert names(many) <= cluster.admin().topics().keys()
    assert plan(many, look_around(many, cluster)).is_empty
    lap("planned")
    verdict = verify(many, cluster, int(time.time() * 1000))
    assert (verdict.breaches, verdict.unproven) == ((), ())
    assert len(verdict.figures) == len(names(many))
    lap("verified")
    shorter = {name: replace(topic, ttl_ms=DAY_MS) for name, topic in many.topics.items()}
    cut = replace(many, topics=shorter, digest=b"shorter")
    apply(plan(cut, look_around(cut, cluster)), cut, cluster, "tests")
    lap("changed")
    assert plan(cut, look_around(cut, cluster)).is_empty
