"""A producer whose transactions have ended does not outlive the connection to its broker: markers may be lost too."""

from __future__ import annotations

import time

import pytest
from structlog.testing import capture_logs

from pipelines.broker import Cluster, KafkaError, KafkaException
from pipelines.relay.steps import Step
from tests.faults.proxy import Proxy
from tests.support.exactness import outputs_are_exact
from tests.support.relay_fixture import RelayFixture, running

# The client notes a broken connection within milliseconds of CPU time, and tells of it when it is polled next. Nothing
# can be polled here, in the middle of a step, so this is a pause that a busy machine needs.
_TOLD_S = 3.0


@pytest.mark.parametrize("ended", ["committed", "aborted"])
def test_after_a_transaction_has_ended_a_broken_connection_costs_the_producer_its_place(
    house: RelayFixture, through: Cluster, proxy: Proxy, ended: str
) -> None:
    """What is aborted is the first transaction of all: nothing was committed before it."""
    cut = False

    def watch(step: Step) -> None:
        nonlocal cut
        if step is Step.SENDING_OFFSETS and ended == "aborted" and not cut:
            raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True))
        if not cut and step is {"committed": Step.COMMITTED, "aborted": Step.RECOVERING}[ended]:
            cut = True
            proxy.cut()
            time.sleep(_TOLD_S)

    house.publish([house.ping(n) for n in range(60)])
    worker = house.worker(cluster=through, watch=watch, batch_events=20, slow_commit_ms=10_000)
    with capture_logs() as lines, running(worker) as raised:
        house.wait_until_through()
    assert raised == []
    assert [line["reason"] for line in lines if line["event"] == "producer.replaced"] == ["broker_lost"]
    outputs_are_exact(house)
