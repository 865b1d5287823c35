"""The last verdict as Prometheus metrics. Labels are topics' names, which the contract has."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipelines.retention import FOREVER_MS
from pipelines.topics.verifying import Verdict


class VerdictCollector(Collector):
    """Shows a verdict until the next one; nothing before the first. An age that is not known is left out."""

    def __init__(self) -> None:
        """Begin without a verdict."""
        self.verdict: Verdict | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics, when Prometheus asks."""
        verdict = self.verdict
        if verdict is None:
            return
        promised = _family("promised_seconds", "How long a record of the topic may live, as the contract says.")
        worst = _family("worst_case_seconds", "How long one can live at most, as the settings in force say.")
        oldest = _family("oldest_seconds", "The age of the oldest record.")
        for each in verdict.figures:
            promised.add_metric([each.topic], each.promised_ms / 1000)
            if each.worst_ms is not None:
                worst.add_metric([each.topic], float("inf") if each.worst_ms >= FOREVER_MS else each.worst_ms / 1000)
            if each.oldest_ms is not None:
                oldest.add_metric([each.topic], each.oldest_ms / 1000)
        ahead = _family("ahead_seconds", "How far ahead of the clock the furthest record is dated.")
        for each in verdict.figures:
            ahead.add_metric([each.topic], each.ahead_ms / 1000)
        breaches = _family("breaches", "Promises of the topic that do not hold.")
        unproven = _family("unproven_partitions", "Partitions of the topic of which something is unknown.")
        whole = sorted({breach.topic for breach in verdict.breaches} - {each.topic for each in verdict.figures})
        for name in whole:  # of the brokers, as they concern every topic
            breaches.add_metric([name], sum(breach.topic == name for breach in verdict.breaches))
        for each in verdict.figures:
            breaches.add_metric([each.topic], sum(breach.topic == each.topic for breach in verdict.breaches))
            of_topic = {found.partition for found in verdict.unproven if found.topic == each.topic}
            unproven.add_metric([each.topic], len(of_topic))
        at = GaugeMetricFamily("pipelines_retention_verified_timestamp_seconds", "When this was looked at last.")
        at.add_metric([], verdict.at_ms / 1000)
        yield from (promised, worst, oldest, ahead, breaches, unproven, at)


def _family(name: str, says: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"pipelines_retention_{name}", says, labels=["topic"])
