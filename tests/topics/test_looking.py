"""Clusters that cannot be judged: their Kafka is too old, or they hide what a worst case is computed from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.broker import LEAST_KAFKA, too_old
from pipelines.contract.model import HOUR_MS, Contract
from pipelines.topics.looking import look, look_around
from pipelines.topics.verifying import verify
from pipelines.trouble import Exit, Trouble
from tests.support.memory_kafka import MemoryCluster
from tests.support.reticent import without
from tests.topics.contracts import MakeContract

LIMITS = ("log.message.timestamp.before.max.ms", "log.message.timestamp.after.max.ms")


@pytest.fixture
def contract(make_contract: MakeContract) -> Contract:
    return make_contract(late_ms=6 * HOUR_MS)


@pytest.mark.parametrize("hidden", [LIMITS, LIMITS[:1], LIMITS[1:]], ids=["both", "before", "after"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda contract, cluster: look(contract, cluster.admin()),
        look_around,
        lambda contract, cluster: verify(contract, cluster, 0),
    ],
    ids=["run", "plan", "verify"],
)
def test_a_kafka_before_the_least_is_refused_and_named(
    contract: Contract, ask: Callable[[Contract, MemoryCluster], object], hidden: tuple[str, ...]
) -> None:
    with pytest.raises(Trouble, match=rf"broker \d+ runs a Kafka before {LEAST_KAFKA}") as refused:
        ask(contract, without(*hidden))
    assert refused.value.exit_code == Exit.REFUSED


@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        ("log.retention.check.interval.ms", "log.retention.check.interval.ms"),
        ("log.retention.ms", "retention.ms"),
        ("log.message.timestamp.type", "message.timestamp.type"),
    ],
)
def test_what_a_cluster_hides_is_named(contract: Contract, hidden: str, named: str) -> None:
    with pytest.raises(Trouble, match=f"does not report {named}, without") as untold:
        look(contract, without(hidden).admin())
    assert untold.value.exit_code == Exit.UNAVAILABLE


def test_a_broker_that_tells_nothing_is_not_called_old() -> None:
    assert too_old({1: {}, 2: {"log.message.timestamp.type": "CreateTime"}, 3: {"x": "y"}}) == [2]


def test_a_limit_that_only_a_topic_needs_may_be_hidden(contract: Contract) -> None:
    assert look(contract, without("message.max.bytes", "offsets.retention.minutes").admin()).topics == {}
