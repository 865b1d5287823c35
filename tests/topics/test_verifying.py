"""Verifying on a real broker: what was applied is kept, and what is older than a promise is found."""

from __future__ import annotations

import time
from dataclasses import replace

import orjson

from pipelines.broker import Cluster
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.retention import FOREVER_MS
from pipelines.topics.applying import apply, create_missing
from pipelines.topics.looking import look_around
from pipelines.topics.planning import plan
from pipelines.topics.state import AHEAD
from pipelines.topics.verifying import verify
from tests.support.kafka import flushed
from tests.topics.contracts import Alter
from tests.topics.verdicts import plant_old, seen, write_old


def test_a_cluster_that_a_plan_was_applied_to_keeps_every_promise(cluster: Cluster, contract: Contract) -> None:
    create_missing(contract, cluster, "tests")
    verdict = seen(cluster, contract)
    assert (verdict.breaches, verdict.unproven, verdict.settling, verdict.differences) == ((), (), (), ())
    ages = {each.topic: each.oldest_ms for each in verdict.figures}
    assert (ages.pop(contract.changes.name) or 0) < HOUR_MS
    assert set(ages.values()) == {None}


def test_a_record_that_is_dated_in_the_future_breaks_the_promise_wherever_it_is(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    (topic,) = contract.topics
    create_missing(contract, cluster, "tests")
    write_old(cluster, topic, 0, partition=2)
    alter(topic, {AHEAD: str(FOREVER_MS)})
    write_old(cluster, topic, 0, partition=0)
    now_us = int(time.time() * 1e6)  # microseconds for milliseconds
    write_old(cluster, topic, int(time.time() * 1000) - now_us, partition=0)
    alter(topic, {AHEAD: "60000"})
    verdict = seen(cluster, contract)
    (breach,) = verdict.breaches
    assert (breach.topic, breach.code) == (topic, "ahead")
    assert "of partition 0 (offset 1) is dated" in breach.message
    (figures,) = (each for each in verdict.figures if each.topic == topic)
    assert 0 <= (figures.oldest_ms or 0) < HOUR_MS
    assert figures.ahead_ms > 365 * 1000 * DAY_MS


def test_what_is_older_than_a_ttl_that_was_just_cut_is_settling_until_it_is_kept(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    (topic,) = contract.topics
    create_missing(contract, cluster, "tests")
    shorter = {topic: replace(contract.topics[topic], ttl_ms=DAY_MS)}
    cut = replace(contract, topics=shorter, digest=b"cut")
    done = apply(plan(cut, look_around(cut, cluster)), cut, cluster, "tests")
    plant_old(cluster, alter, topic, 30 * HOUR_MS)
    verdict = seen(cluster, cut)
    assert verdict.breaches == ()
    (settling,) = verdict.settling
    assert 0 <= settling.kept_from_ms - done.kept_from_ms[topic] <= 1000
    assert settling.origin.by == "tests"
    later = verify(cut, cluster, settling.kept_from_ms)
    assert [breach.code for breach in later.breaches] == ["oldest"]
    # What is older than it could become before the cut is not settling: it should have been gone already.
    plant_old(cluster, alter, topic, 50 * HOUR_MS, partition=0)
    verdict = seen(cluster, cut)
    (breach,) = verdict.breaches
    assert (breach.code, "partition 0 is" in breach.message) == ("oldest", True)
    assert len(verdict.settling) == 1


def test_a_forged_record_of_changes_excuses_no_record_that_is_too_old(
    cluster: Cluster, contract: Contract, alter: Alter
) -> None:
    (topic,) = contract.topics
    create_missing(contract, cluster, "tests")
    plant_old(cluster, alter, topic, 50 * DAY_MS)
    forged = {
        "format": 1,
        "kind": "applied",
        "kept_from": {topic: "2126-01-01T00:00:00Z"},
        "lived": {topic: 9 * 10**15},
    }
    producer = cluster.producer()
    producer.produce(contract.changes.name, orjson.dumps(forged))
    flushed(producer)
    verdict = seen(cluster, contract)
    assert [(breach.topic, breach.code) for breach in verdict.breaches] == [(topic, "oldest")]
    assert verdict.settling == ()
