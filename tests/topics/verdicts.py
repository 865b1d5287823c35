"""Verdicts over a contract on a real broker, and records that are older than its topics let in."""

from __future__ import annotations

import time

from pipelines.broker import Cluster
from pipelines.contract.model import DAY_MS, Contract
from pipelines.topics.state import OLDEST
from pipelines.topics.verifying import Verdict, verify
from tests.support.kafka import flushed
from tests.support.waiting import CALL_S
from tests.topics.contracts import Alter


def seen(cluster: Cluster, contract: Contract) -> Verdict:
    return verify(contract, cluster, int(time.time() * 1000))


def plant_old(cluster: Cluster, alter: Alter, topic: str, age_ms: int, partition: int = 1) -> None:
    """Write a record that the topic does not let in, and leave the topic as it was."""
    usual = cluster.admin(timeout_s=CALL_S).topic_configs([topic])[topic][OLDEST]
    alter(topic, {OLDEST: str(90 * DAY_MS)})
    write_old(cluster, topic, age_ms, partition)
    alter(topic, {OLDEST: usual})


def write_old(cluster: Cluster, topic: str, age_ms: int, partition: int = 1) -> None:
    producer = cluster.producer()
    producer.produce(topic, b"synthetic", partition=partition, timestamp=int(time.time() * 1000) - age_ms)
    flushed(producer)
