"""What three brokers make possible: replicas, and one that is down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from pipelines.broker import Cluster, EmbeddedKafka, NewTopic
from pipelines.contract.model import Contract
from pipelines.topics.applying import create_missing
from pipelines.topics.verifying import Verdict, verify
from pipelines.trouble import Trouble
from tests.support.waiting import CALL_S, until
from tests.topics.contracts import MakeContract, names


def test_three_brokers_get_three_replicas(kafka3: EmbeddedKafka, make_contract: Callable[[], Contract]) -> None:
    contract, cluster = make_contract(), kafka3.cluster
    create_missing(contract, cluster, "tests")
    admin = cluster.admin(timeout_s=30)
    assert {info.replication for info in admin.topics(names(contract)).values()} == {3}
    assert {configs["min.insync.replicas"] for configs in admin.topic_configs(names(contract)).values()} == {"2"}
    assert create_missing(contract, cluster, "tests")[0].is_empty


def test_what_lies_on_a_broker_that_is_down_is_unproven(kafka3: EmbeddedKafka, make_contract: MakeContract) -> None:
    contract, cluster = make_contract(), kafka3.cluster
    (minimized,) = contract.topics
    cluster.admin(timeout_s=CALL_S).create(
        [NewTopic(minimized, 3, 1)]
    )  # one replica a partition, each on a broker of its own
    create_missing(contract, cluster, "tests")
    assert verify(contract, cluster, int(time.time() * 1000)).unproven == ()
    try:
        kafka3.kill(2)
        verdict = until_unproven(cluster, contract)
    finally:
        kafka3.restart(2)
    alone = [each for each in verdict.unproven if each.topic == minimized]
    assert [each.why for each in alone] == [
        "no broker answers for it",
        "broker 2 has a replica and is down: so long, it deletes nothing",
    ]
    replicated = [each for each in verdict.unproven if each.topic in contract.raw_topics]
    assert [each.partition for each in replicated] == [0, 1]


def until_unproven(cluster: Cluster, contract: Contract) -> Verdict:
    """The verdict once the cluster has noticed that a broker is gone."""

    def unproven() -> Verdict | None:
        with contextlib.suppress(Trouble):  # the cluster still counts the broker that nobody reaches
            verdict = verify(contract, cluster, int(time.time() * 1000))
            if any("is down" in each.why for each in verdict.unproven):
                return verdict
        return None

    verdict = until(unproven, "a cluster that knows that a broker is down")
    assert verdict is not None
    return verdict
