"""The limits of topics and brokers that writing rests on, and settings under which records may be lost early."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from pipelines.broker import Setting, Source
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract
from pipelines.topics.document import document, read
from pipelines.topics.gauges import VerdictCollector
from pipelines.topics.judging import PLAN, judged, of_brokers
from pipelines.topics.limits import BATCH_BYTES, BROKER_LIMITS, BROKERS, LEAST_BYTES, LIMITS, MOST_RAW_BYTES
from pipelines.topics.planning import plan
from pipelines.topics.promise import UNPACKED, promises
from pipelines.topics.risks import risks
from pipelines.topics.state import BROKERS_OWN, COMPRESSION, MESSAGE_BYTES, USUAL, ClusterState
from pipelines.topics.verifying import Figures, Verdict, verdict_lines
from pipelines.trouble import Trouble
from tests.topics.clusters import applied, changed
from tests.topics.contracts import MakeContract, names


@pytest.fixture
def contract(make_contract: MakeContract) -> Contract:
    return make_contract(raw_ttl_ms=3 * DAY_MS, ttl_ms=5 * DAY_MS, late_ms=6 * HOUR_MS)


def brokers(**settings: str) -> ClusterState:
    """Two brokers, one of which has these settings in its file (`__` for a dot)."""
    odd = {name.replace("__", "."): Setting(value, Source.FILE) for name, value in settings.items()}
    return ClusterState({1: USUAL, 2: {**USUAL, **odd}}, {})


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_new_topics_have_limits_of_their_own_where_the_brokers_have_smaller_ones(contract: Contract, name: str) -> None:
    made = applied(contract, brokers(**{name.replace(".", "__"): "32768"}))
    assert {int(topic.settings[name]) for topic in made.topics.values()} == {BATCH_BYTES}
    assert judged(contract, made) == []


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_limit_that_is_too_small_is_a_breach_that_a_plan_heals(contract: Contract, name: str) -> None:
    (topic,) = contract.topics
    for small in (
        changed(applied(contract), topic, {name: "32768"}),
        replace(
            changed(applied(contract), topic, {name: None}),
            brokers=brokers(**{name.replace(".", "__"): "32768"}).brokers,
        ),
    ):
        (found,) = judged(contract, small)
        assert (found.topic, found.code, found.command) == (topic, "size", PLAN)
        assert found.settings[name].startswith("32768 (")
        steps = [step for step in plan(contract, small).steps if step.kind == "set" and name in step.settings]
        assert [(step.topic, step.settings[name]) for step in steps] == [(topic, str(BATCH_BYTES))]
        assert judged(contract, applied(contract, small)) == []


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_kafkas_old_default_is_large_enough(contract: Contract, name: str) -> None:
    (topic,) = contract.topics
    old = changed(applied(contract), topic, {name: str(LEAST_BYTES)})
    assert judged(contract, old) == []
    assert plan(contract, old).is_empty
    (found,) = judged(contract, changed(old, topic, {name: str(LEAST_BYTES - 1)}))
    assert found.code == "size"


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_larger_limit_stays_as_it_is(contract: Contract, name: str) -> None:
    (topic,) = contract.topics
    large = changed(applied(contract), topic, {name: "10000000"})
    assert plan(contract, large).is_empty
    assert plan(contract, large).notices == ()
    assert judged(contract, large) == []
    made = applied(contract, brokers(**{name.replace(".", "__"): "10000000"}))
    assert {topic.settings[name] for topic in made.topics.values()} == {"10000000"}


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("transaction.max.timeout.ms", "29999", False),
        ("transaction.max.timeout.ms", "30000", True),
        ("offset.metadata.max.bytes", "4095", False),
        ("offset.metadata.max.bytes", "4096", True),
        ("offsets.retention.minutes", str(3 * 24 * 60 - 1), False),
        ("offsets.retention.minutes", str(3 * 24 * 60), True),
    ],
)
def test_a_brokers_limit_that_is_too_small_has_a_line_in_plan_and_verify(
    contract: Contract, name: str, value: str, holds: bool
) -> None:
    state = replace(applied(contract), brokers=brokers(**{name.replace(".", "__"): value}).brokers)
    found = judged(contract, state)
    notices = plan(contract, state).notices
    if holds:
        assert (found, list(notices)) == ([], [notice for notice in notices if notice.code != "broker-limit"])
        return
    (breach,) = found
    assert (breach.topic, breach.code) == (BROKERS, "broker-limit")
    assert breach.settings == {name: f"{value} (in broker 2's server.properties)"}
    (notice,) = (notice for notice in notices if notice.code == "broker-limit")
    assert notice.broken
    assert name in notice.message
    verdict = Verdict(0, (Figures("audit.a", DAY_MS, DAY_MS, None),), (breach,), (), (), (), (), {})
    lines = list(verdict_lines(verdict))
    assert lines[0].startswith(f"BROKEN {BROKERS}: {name} is {value}, ")
    assert lines[-1] == "1 of 1 promises hold"
    collector = VerdictCollector()
    collector.verdict = verdict
    counted = {
        sample.labels["topic"]: sample.value
        for family in collector.collect()
        for sample in family.samples
        if sample.name == "pipelines_retention_breaches"
    }
    assert counted == {BROKERS: 1, "audit.a": 0}


def test_what_a_cluster_does_not_tell_is_no_finding_and_each_limit_is_looked_at(contract: Contract) -> None:
    assert {limit.name for limit in BROKER_LIMITS} == set(BROKERS_OWN)
    assert list(of_brokers(contract, ClusterState({1: USUAL}, {}))) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("retention.bytes", "1000000"), ("min.insync.replicas", "0"), ("unclean.leader.election.enable", "true")],
)
def test_a_setting_under_which_records_may_be_lost_is_a_risk_with_its_source(
    contract: Contract, name: str, value: str
) -> None:
    (topic,) = contract.topics
    kept = applied(contract)
    assert [risk for promise in promises(contract) for risk in risks(promise, kept)] == []
    own = changed(kept, topic, {name: value})
    (risk,) = (risk for promise in promises(contract) for risk in risks(promise, own))
    assert (risk.topic, risk.setting, risk.held) == (topic, name, f"{value} (set on the topic)")
    assert judged(contract, own) == []
    handed = replace(kept, brokers=brokers(**{name.replace(".", "__"): value}).brokers)
    bare = {each: replace(found, settings={}) for each, found in handed.topics.items()}
    inherited = [risk for promise in promises(contract) for risk in risks(promise, replace(handed, topics=bare))]
    assert {risk.topic for risk in inherited if risk.setting == name} == names(contract)
    assert {risk.held for risk in inherited if risk.setting == name} == {f"{value} (in broker 2's server.properties)"}


def test_a_raw_topic_that_keeps_batches_packed_is_a_risk_that_a_plan_ends(contract: Contract) -> None:
    (raw,) = contract.raw_topics
    kept = applied(contract)
    for packed in (changed(kept, raw, {COMPRESSION: None}), changed(kept, raw, {COMPRESSION: "zstd"})):
        (risk,) = (risk for promise in promises(contract) for risk in risks(promise, packed))
        assert (risk.topic, risk.setting) == (raw, COMPRESSION)
        planned = plan(contract, packed)
        assert [(step.topic, step.settings) for step in planned.steps if step.kind == "set"] == [
            (raw, {COMPRESSION: UNPACKED})
        ]
        (notice,) = planned.notices
        assert (notice.code, notice.topic, notice.broken) == ("packed-batches", raw, False)
        assert judged(contract, packed) == []
        ended = applied(contract, packed)
        assert [risk for promise in promises(contract) for risk in risks(promise, ended)] == []
        assert plan(contract, ended).notices == ()


def test_a_limit_of_raw_batches_beyond_what_a_worker_plans_with_is_a_risk(contract: Contract) -> None:
    (raw,), (minimized,) = contract.raw_topics, contract.topics
    kept = applied(contract)
    assert plan(contract, changed(kept, raw, {MESSAGE_BYTES: str(MOST_RAW_BYTES)})).notices == ()
    assert plan(contract, changed(kept, minimized, {MESSAGE_BYTES: str(MOST_RAW_BYTES + 1)})).notices == ()
    (notice,) = plan(contract, changed(kept, raw, {MESSAGE_BYTES: str(MOST_RAW_BYTES + 1)})).notices
    assert (notice.code, notice.topic, notice.broken) == ("size-limit", raw, False)


def test_a_limit_by_size_is_in_the_plan_too(contract: Contract) -> None:
    (topic,) = contract.topics
    (notice,) = plan(contract, changed(applied(contract), topic, {"retention.bytes": "1000000"})).notices
    assert (notice.code, notice.topic, notice.broken) == ("size-limit", topic, False)


def test_a_saved_plan_keeps_the_limits_and_an_older_one_has_to_be_made_anew(contract: Contract) -> None:
    state = brokers(**{MESSAGE_BYTES.replace(".", "__"): "32768", "retention__bytes": "-1"})
    planned = plan(contract, state)
    said = document(planned, None)
    assert read(orjson.dumps(said), contract, None) == planned
    with pytest.raises(Trouble, match="not a plan of this version"):
        read(orjson.dumps({**said, "format": "pipelines topics plan 2"}), contract, None)
