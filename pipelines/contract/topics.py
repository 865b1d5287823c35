"""Topics: `topics.yaml`, from nodes to values. What the topics must hold together is the checks' matter."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from typing import Final

from pipelines.contract.folder import EVENT, MINIMIZED, NAME
from pipelines.contract.model import (
    DAY_MS,
    HOUR_MS,
    USUAL_CHANGES,
    Basis,
    ChangesTopic,
    QuarantineTopic,
    RawTopic,
    Topic,
)
from pipelines.contract.node import Node, Scalar
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, bad, day, duration, integer, names, text, word

CATEGORIES: Final = (
    "account-app",
    "device-lifecycle",
    "os-security-state",
    "network-metadata",
    "threat-intelligence",
    "audit",
)
MAX_RAW_TTL_MS: Final = 72 * HOUR_MS
MAX_TTL_MS: Final = 3_660 * DAY_MS
MAX_TOPICS: Final = 1_000
# The values of Kafka's topic setting `compression.type`; `producer` keeps the codec of the relay, LZ4.
CODECS: Final = ("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd")
MAX_PARTITIONS: Final = 10_000
_PLAIN: Final = re.compile(NAME, re.ASCII)
_AUDIT: Final = re.compile(rf"audit\.{NAME}", re.ASCII)
_SECOND_MS: Final = 1_000
NO_LATE: Final = -1  # until the raw topics are known, whose TTL is the default


@dataclass(frozen=True, slots=True)
class Topics:
    """What `topics.yaml` says; the names include those of topics that had mistakes."""

    raw: MappingOf[str, RawTopic] = field(default_factory=dict)
    raw_names: frozenset[str] = frozenset()
    minimized: MappingOf[str, Topic] = field(default_factory=dict)
    minimized_names: frozenset[str] = frozenset()
    quarantine: QuarantineTopic | None = None
    changes: ChangesTopic = USUAL_CHANGES


def read_topics(node: Node, report: Report) -> Topics:
    """The topics of a file: those that are whole, and the names of all."""
    section = Section.of(node, "The file", report)
    if section is None:
        return Topics()
    raw = Section.of(section.need("raw"), "raw", report)
    minimized = Section.of(section.need("minimized"), "minimized", report)
    quarantine = _quarantine(section.need("quarantine"), report)
    changes = _changes(section.may("changes"), report)
    section.close()
    raw_entries = () if raw is None else raw.entries(MAX_TOPICS)
    entries = () if minimized is None else minimized.entries(MAX_TOPICS)
    raw_topics = [_raw(key, value, report) for key, value in raw_entries]
    topics = [_minimized(key, value, report) for key, value in entries]
    return Topics(
        {topic.name: topic for topic in raw_topics if topic is not None},
        frozenset(key.text for key, _ in raw_entries),
        {topic.name: topic for topic in topics if topic is not None},
        frozenset(key.text for key, _ in entries),
        quarantine,
        changes,
    )


def with_late(topic: Topic, raw_ttls: list[int]) -> Topic:
    """The topic with `late` filled in: without one, an input may be as old as its raw topic lets it become."""
    return topic if topic.late_ms != NO_LATE else replace(topic, late_ms=max(raw_ttls, default=0))


def _raw(key: Scalar, node: Node, report: Report) -> RawTopic | None:
    prefix, _, event = key.text.partition(".")
    if prefix != "raw" or not EVENT.fullmatch(event):
        report.add(
            "topic-name",
            key.position,
            f"{shown(key.text)} is not a valid raw topic name.",
            "Write raw.<source>.<event>.",
        )
        return None
    section = Section.of(node, "A raw topic", report)
    if section is None:
        return None
    before = len(report)
    ttl = duration(section.need("ttl"), _SECOND_MS, MAX_TTL_MS, report)
    partitions = integer(section.need("partitions"), 1, MAX_PARTITIONS, report)
    producers = names(section.need("producers"), report)
    if (consumers := section.may("consumers")) is not None:
        what = "A raw topic has no consumers: raw events are for the minimizer alone."
        report.add("raw-consumers", consumers.position, what, "Remove it; give them a view with a purpose.")
    section.close()
    if ttl is None or partitions is None or producers is None or _other_mistakes(report, before):
        return None
    return RawTopic(key.text, event, ttl, partitions, producers, key.position)


def _minimized(key: Scalar, node: Node, report: Report) -> Topic | None:
    found = MINIMIZED.fullmatch(key.text)
    if found is None or found[1] not in CATEGORIES:
        hint = meant(key.text.partition(".")[0], CATEGORIES)
        what = f"{shown(key.text)} is not a valid minimized topic name.{hint}"
        report.add(
            "topic-name", key.position, what, f"Write <category>.<purpose>; categories: {', '.join(CATEGORIES)}."
        )
        return None
    section = Section.of(node, "A topic", report)
    if section is None:
        return None
    before = len(report)
    ttl = duration(section.need("ttl"), _SECOND_MS, MAX_TTL_MS, report)
    late_node = section.may("late")
    late = NO_LATE if late_node is None else duration(late_node, _SECOND_MS, MAX_TTL_MS, report)
    partitions = integer(section.need("partitions"), 1, MAX_PARTITIONS, report)
    consumers = names(section.need("consumers"), report)
    basis = _basis(section.need("basis"), report)
    compression = word(section.may("compression"), CODECS, report)
    section.close()
    if len(report) > before or ttl is None or late is None or partitions is None or consumers is None or basis is None:
        return None
    return Topic(key.text, ttl, late, partitions, consumers, basis, key.position, compression)


def _basis(node: Node | None, report: Report) -> Basis | None:
    section = Section.of(node, "A basis", report)
    if section is None:
        return None
    product, security = text(section.need("product"), report), text(section.need("security"), report)
    legal = text(section.need("legal"), report)
    reviewed, expires = day(section.need("reviewed"), report), day(section.need("expires"), report)
    section.close()
    if product is None or security is None or legal is None or reviewed is None or expires is None:
        return None
    return Basis(product, security, legal, reviewed, expires)


def _quarantine(node: Node | None, report: Report) -> QuarantineTopic | None:
    section = Section.of(node, "The quarantine topic", report)
    if section is None:
        return None
    name = _named(section.need("topic"), _PLAIN, "quarantine topic's", "lower-case letters, digits and dashes", report)
    ttl = duration(section.need("ttl"), _SECOND_MS, MAX_TTL_MS, report)
    partitions = integer(section.need("partitions"), 1, MAX_PARTITIONS, report)
    consumers = names(section.need("consumers"), report)
    section.close()
    if name is None or ttl is None or partitions is None or consumers is None:
        return None
    return QuarantineTopic(name, ttl, partitions, consumers, section.node.position)


def _changes(node: Node | None, report: Report) -> ChangesTopic:
    """The topic of the pipeline's own audit records; without one, or after a mistake, the usual one."""
    section = Section.of(node, "The changes topic", report)
    if section is None:
        return USUAL_CHANGES
    name = _named(section.need("topic"), _AUDIT, "audit topic's", "audit.<name>", report)
    ttl = duration(section.need("ttl"), _SECOND_MS, MAX_TTL_MS, report)
    consumers = names(section.need("consumers"), report)
    section.close()
    if name is None or ttl is None or consumers is None:
        return USUAL_CHANGES
    return ChangesTopic(name, ttl, consumers, section.node.position)


def _named(node: Node | None, pattern: re.Pattern[str], whose: str, shape: str, report: Report) -> str | None:
    name = text(node, report)
    if node is None or name is None or pattern.fullmatch(name):
        return name
    bad(report, node, f"{shown(name)} is not a valid {whose} name.", f"Write {shape}.")
    return None


def _other_mistakes(report: Report, before: int) -> bool:
    """Whether there was a mistake that stands in the way of a raw topic's value (a `consumers` line does not)."""
    return any(check != "raw-consumers" for check, _ in report.mistakes[before:])
