"""How the topics of a live cluster stand to the contract's promises. Asks, judges, changes nothing.

A `Breach` means that a promise does not hold; the relay refuses to start on one. A `Difference` is a setting that is
not the computed one and yet breaks nothing (a shorter retention, say).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines import retention
from pipelines.broker import Admin, TopicInfo
from pipelines.contract.model import Contract
from pipelines.retention import BrokerTimes, TooShort
from pipelines.topics.promise import Clock, Promise, promises, replicas, settings

INITIAL_DELAY_MS: Final = 30_000
"""`log.initial.task.delay.ms`, which a broker does not tell; Kafka's default."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that does not hold: `code` is one of a closed set, `remedy` what an operator does about it."""

    topic: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.message}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the computed one and breaks no promise."""

    topic: str
    setting: str
    live: str
    computed: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.live or 'not set'}, computed is {self.computed}"


@dataclass(frozen=True, slots=True)
class Live:
    """A cluster as far as promises go: its delays (the worst of all brokers), brokers, topics and their settings."""

    times: BrokerTimes
    brokers: int
    topics: Mapping[str, TopicInfo]
    configs: Mapping[str, Mapping[str, str]]


def look(contract: Contract, admin: Admin, *, initial_delay_ms: int = INITIAL_DELAY_MS) -> Live:
    """Ask the cluster.

    Raises:
        Trouble: (exit 3) it does not answer.
    """
    brokers = admin.broker_configs().values()
    times = BrokerTimes(
        check_interval_ms=max(int(configs["log.retention.check.interval.ms"]) for configs in brokers),
        initial_delay_ms=initial_delay_ms,
        delete_delay_ms=max(int(configs["log.segment.delete.delay.ms"]) for configs in brokers),
    )
    topics = admin.topics(promise.topic for promise in promises(contract))
    return Live(times, len(brokers), topics, admin.topic_configs(topics))


def breaches(contract: Contract, admin: Admin, *, initial_delay_ms: int = INITIAL_DELAY_MS) -> list[Breach]:
    """Every promise that the live topics do not keep; empty when all is well.

    Raises:
        Trouble: (exit 3) the cluster does not answer.
    """
    live = look(contract, admin, initial_delay_ms=initial_delay_ms)
    return [breach for promise in promises(contract) for breach in judge(promise, live)]


def judge(promise: Promise, live: Live) -> Iterator[Breach]:
    """The breaches of one topic."""
    info, configs = live.topics.get(promise.topic), live.configs.get(promise.topic)
    if info is None or configs is None:
        yield Breach(promise.topic, "missing", "there is no such topic", "Run `pipelines topics apply`.")
        return

    def breach(code: str, message: str, remedy: str) -> Breach:
        return Breach(promise.topic, code, message, remedy)

    if info.partitions != promise.partitions:
        yield breach(
            "partitions",
            f"it has {info.partitions} partitions, the contract says {promise.partitions}",
            "Say in topics.yaml what is true, or add partitions (a device's or handle's records then change theirs).",
        )
    if configs["message.timestamp.type"] != promise.clock:
        yield breach(
            "clock",
            f"message.timestamp.type is {configs['message.timestamp.type']}, not {promise.clock}",
            "Empty the topic and make it again: records that are there keep the times they have."
            if promise.clock is Clock.BROKER
            else "Set message.timestamp.type=CreateTime.",
        )
    if configs["cleanup.policy"] != "delete":
        yield breach(
            "cleanup", f"cleanup.policy is {configs['cleanup.policy']}: compaction keeps records", "Set it to delete."
        )
    if configs.get("remote.storage.enable") == "true":
        yield breach(
            "tiered", "tiered storage is on: copies leave the brokers' disks", "Set remote.storage.enable=false."
        )
    yield from _too_long(promise, live, configs)


def differences(promise: Promise, live: Live) -> Iterator[Difference]:
    """The settings of an existing topic that are not the computed ones, whether or not they break a promise."""
    info, configs = live.topics.get(promise.topic), live.configs.get(promise.topic)
    computed = settings(promise, live.times, live.brokers)
    if info is None or configs is None or isinstance(computed, TooShort):
        return
    for name, value in computed.items():
        if configs.get(name) != value:
            yield Difference(promise.topic, name, configs.get(name, ""), value)
    wanted = replicas(live.brokers)[0]
    if info.replication < wanted:
        yield Difference(promise.topic, "replicas", str(info.replication), str(wanted))


def _too_long(promise: Promise, live: Live, configs: Mapping[str, str]) -> Iterator[Breach]:
    times = BrokerTimes(live.times.check_interval_ms, live.times.initial_delay_ms, int(configs["file.delete.delay.ms"]))
    worst_ms = retention.worst_case_ms(
        int(configs["retention.ms"]), int(configs["segment.ms"]), promise.late_ms, promise.step_ms, times
    )
    if worst_ms <= promise.ttl_ms:
        return
    computed = settings(promise, live.times, live.brokers)
    if isinstance(computed, TooShort):
        remedy = f"Promise at least {_span(computed.shortest_ttl_ms)}, or shorten the brokers' check interval."
    else:
        names = ("segment.ms", "retention.ms", "file.delete.delay.ms")
        remedy = "Set " + ", ".join(f"{name}={computed[name]}" for name in names) + " (segment.ms first)."
    lived = "for ever" if worst_ms >= retention.FOREVER_MS else f"for {_span(worst_ms)}"
    yield Breach(
        promise.topic, "retention", f"a record may stay {lived}, the promise is {_span(promise.ttl_ms)}", remedy
    )


def _span(duration_ms: int) -> str:
    seconds = -(-duration_ms // 1000)
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
