"""Every planted drift of topics and of a broker is found by verifying, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipelines.broker import Cluster, EmbeddedKafka
from pipelines.contract.model import DAY_MS, HOUR_MS, Contract, RawTopic, Topic
from pipelines.retention import FOREVER_MS
from pipelines.topics.applying import apply, create_missing
from pipelines.topics.judging import PLAN
from pipelines.topics.looking import look_around
from pipelines.topics.planning import plan
from pipelines.topics.verifying import Verdict, verdict_lines
from tests.support.kafka import delete_topics
from tests.support.waiting import CALL_S, until
from tests.topics.contracts import BASIS, HERE, Alter, AlterBroker, names
from tests.topics.verdicts import plant_old, seen

DAY = str(24 * HOUR_MS)
# Topic → (what somebody does to its settings, the breach, the setting to blame, where it comes from).
DRIFTS: dict[str, tuple[dict[str, str | None], str, str, str]] = {
    "raw.drift.longer": ({"retention.ms": DAY}, "retention", "retention.ms", "set on the topic"),
    "raw.drift.clock": (
        {"message.timestamp.type": "CreateTime"}, "clock", "message.timestamp.type", "set on the topic",
    ),
    "raw.drift.unset": ({"message.timestamp.type": None}, "clock", "message.timestamp.type", "Kafka's default"),
    "raw.drift.compact": ({"cleanup.policy": "compact"}, "cleanup", "cleanup.policy", "set on the topic"),
    "audit.longer": ({"retention.ms": str(3 * 24 * HOUR_MS)}, "retention", "retention.ms", "set on the topic"),
    "audit.forever": ({"retention.ms": "-1"}, "retention", "retention.ms", "set on the topic"),
    "audit.inherits": ({"retention.ms": None}, "retention", "retention.ms", "set on broker 1"),
    "audit.segments": ({"segment.ms": DAY}, "retention", "segment.ms", "set on the topic"),
    "audit.rolls": ({"segment.ms": None}, "retention", "segment.ms", "Kafka's default"),
    "audit.delay": ({"file.delete.delay.ms": DAY}, "retention", "file.delete.delay.ms", "set on the topic"),
    "audit.ahead": (
        {"message.timestamp.after.max.ms": DAY}, "retention", "message.timestamp.after.max.ms", "set on the topic",
    ),
    "audit.latecomers": (
        {"message.timestamp.before.max.ms": DAY}, "retention", "message.timestamp.before.max.ms", "set on the topic",
    ),
    "audit.compacts": ({"cleanup.policy": "compact,delete"}, "cleanup", "cleanup.policy", "set on the topic"),
    "audit.appended": (
        {"message.timestamp.type": "LogAppendTime"}, "clock", "message.timestamp.type", "set on the topic",
    ),
}  # fmt: skip
GONE, FEWER, MORE, OLD, SHORTER, FINE = (
    f"audit.{name}" for name in ("gone", "fewer", "more", "old", "shorter", "fine")
)


@pytest.fixture
def cluster(private_kafka: EmbeddedKafka) -> Cluster:
    """A cluster of this module alone, since a setting of its broker is changed."""
    return private_kafka.cluster


def drifting(contract: Contract, source: str) -> Contract:
    """The contract with a topic for each drift, under names that no other test has."""
    raw, topics = {}, {}
    for short in (*DRIFTS, GONE, FEWER, MORE, OLD, SHORTER, FINE):
        name = f"{short}-{source}"
        if name.startswith("raw."):
            raw[name] = RawTopic(name, name.removeprefix("raw."), DAY_MS, 1, (), HERE)
        else:
            topics[name] = Topic(name, 2 * DAY_MS, 6 * HOUR_MS, 2, ("office",), BASIS, HERE)
    return replace(contract, raw_topics=raw, topics=topics)


@pytest.fixture
def drifted(cluster: Cluster, contract: Contract, alter: Alter, alter_broker: AlterBroker) -> Iterator[Contract]:
    """A cluster with eighteen drifts, a topic that is kept shorter than it may be, and one that is fine."""
    (source,) = (name.removeprefix("audit.") for name in contract.topics)
    wanted = drifting(contract, source)
    made = dict(wanted.topics)
    for short, partitions in ((FEWER, 1), (MORE, 3)):
        name = f"{short}-{source}"
        made[name] = replace(made[name], partitions=partitions)
    create_missing(replace(wanted, topics=made), cluster, "tests")
    alter_broker("log.retention.ms", "999999999")
    for short, (settings, *_) in DRIFTS.items():
        alter(f"{short}-{source}", settings)
    alter(f"{SHORTER}-{source}", {"retention.ms": "3600000", "min.insync.replicas": None})
    delete_topics(cluster, [f"{GONE}-{source}"])
    yield wanted
    delete_topics(cluster, list(cluster.admin(timeout_s=CALL_S).topics(names(wanted))))


def test_every_planted_drift_is_found_and_nothing_else(
    cluster: Cluster, drifted: Contract, contract: Contract, alter: Alter
) -> None:
    (source,) = (name.removeprefix("audit.") for name in contract.topics)

    def planted_and_seen() -> Verdict | None:
        plant_old(cluster, alter, f"{OLD}-{source}", 5 * DAY_MS)
        verdict = seen(cluster, drifted)
        return verdict if any(breach.code == "oldest" for breach in verdict.breaches) else None

    verdict = until(planted_and_seen, "a verdict before the broker itself deletes the old record")
    assert verdict is not None
    planted = {(f"{short}-{source}", code, (blamed,)) for short, (_, code, blamed, _) in DRIFTS.items()} | {
        (f"{GONE}-{source}", "missing", ()),
        (f"{FEWER}-{source}", "partitions", ()),
        (f"{MORE}-{source}", "partitions", ()),
        (f"{OLD}-{source}", "oldest", ()),
    }
    assert len(planted) == 18
    assert {(each.topic, each.code, tuple(each.settings)) for each in verdict.breaches} == planted
    assert len(verdict.breaches) == len(planted)
    for short, (_, _, blamed, where) in DRIFTS.items():
        (breach,) = (each for each in verdict.breaches if each.topic == f"{short}-{source}")
        assert where in breach.settings[blamed]
        assert breach.command == PLAN
    assert {each.topic for each in verdict.differences} >= {f"{SHORTER}-{source}"}
    assert verdict.unproven == ()
    figures = {each.topic: each for each in verdict.figures}
    assert figures[f"{FINE}-{source}"].worst_ms == 2 * DAY_MS
    assert figures[f"audit.forever-{source}"].worst_ms == FOREVER_MS
    assert figures[f"{GONE}-{source}"].worst_ms is None
    assert 5 * DAY_MS <= (figures[f"{OLD}-{source}"].oldest_ms or 0) < 6 * DAY_MS
    said = "\n".join(verdict_lines(verdict))
    assert "4 of 22 promises hold" in said
    assert f"BROKEN audit.inherits-{source}" in said

    # The command that each of them names fixes all but what no command can.
    apply(plan(drifted, look_around(drifted, cluster)), drifted, cluster, "tests")
    left = {(each.topic, each.code) for each in seen(cluster, drifted).breaches}
    assert left - {(f"{OLD}-{source}", "oldest")} == {(f"{MORE}-{source}", "partitions")}
