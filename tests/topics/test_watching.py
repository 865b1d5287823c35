"""The alarm: a promise that somebody breaks is said at every look, in log and metrics, until it is fixed."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.broker import Cluster
from pipelines.contract.model import Contract
from pipelines.relay.logs import configure
from pipelines.topics.applying import create_missing
from pipelines.topics.judging import PLAN
from pipelines.topics.watching import Watch, Watched
from tests.support.waiting import until
from tests.topics.contracts import Alter

EVERY_S = 0.1


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def watch(cluster: Cluster, contract: Contract, output: io.StringIO) -> Iterator[Watch]:
    create_missing(contract, cluster, "tests")
    watch = Watch(Watched(contract, cluster, EVERY_S, 30_000), configure("topics", output))
    watch.start()
    yield watch
    watch.stop()


def said(output: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, output.getvalue().splitlines()) if line["event"] == event]


def metrics(watch: Watch) -> dict[tuple[str, str], float]:
    registry = CollectorRegistry()
    registry.register(watch.collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name.removeprefix("pipelines_retention_"), sample.labels.get("topic", "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_alarm_sounds_for_as_long_as_a_promise_is_broken(
    watch: Watch, contract: Contract, output: io.StringIO, alter: Alter
) -> None:
    (topic,) = contract.topics
    until(lambda: ("breaches", topic) in metrics(watch), "a first look at the topic")
    figures = metrics(watch)
    assert figures["breaches", topic] == 0
    assert figures["worst_case_seconds", topic] == figures["promised_seconds", topic] == 2 * 86_400
    assert ("oldest_seconds", topic) not in figures
    assert figures["oldest_seconds", contract.changes.name] < 3_600
    assert abs(figures["verified_timestamp_seconds", ""] - time.time()) < 600
    assert said(output, "topics.drift") == []

    alter(topic, {"retention.ms": "-1"})
    until(lambda: len(said(output, "topics.drift")) >= 2, "two alarms in the log")
    line = said(output, "topics.drift")[0]
    assert (line["topic"], line["code"], line["level"]) == (topic, "retention", "error")
    assert line["settings"] == ["retention.ms is -1 (set on the topic)"]
    assert line["command"] == PLAN
    figures = metrics(watch)
    assert figures["breaches", topic] == 1
    assert figures["worst_case_seconds", topic] == float("inf")

    alter(topic, {"retention.ms": "3600000"})
    until(lambda: metrics(watch)["breaches", topic] == 0, "the end of the breach in the metrics")


def test_a_cluster_that_does_not_answer_is_said_and_the_last_look_stays_dated(
    contract: Contract, output: io.StringIO
) -> None:
    nowhere = Cluster("127.0.0.1:1", {"socket.timeout.ms": "1000"})
    watch = Watch(Watched(contract, nowhere, EVERY_S, 30_000), configure("topics", output))
    watch.start()
    until(lambda: said(output, "topics.unverified"), "a line that says that nothing was verified")
    watch.stop()
    assert metrics(watch) == {}
