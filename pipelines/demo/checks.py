"""The checks: each looks at the evidence and says whether a promise held, in a sentence with its figures.

A check that had nothing to look at has not held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipelines.demo.balance import agrees, balances, metrics_agree, noted
from pipelines.demo.evidence import Evidence
from pipelines.demo.gathering import LOGS, METRICS

# What a check says: what it looked at, and what it found wrong (nothing: it held).
Finding = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """A promise, whether it held, and what was looked at or what was wrong."""

    name: str
    held: bool
    detail: str


def judge(evidence: Evidence) -> list[Check]:
    """Every check on the evidence, in the order of `CHECKS`."""
    found = ((name, check(evidence)) for name, check in CHECKS.items())
    return [Check(name, not wrong, "; ".join(wrong) or looked) for name, (looked, wrong) in found]


def _published(evidence: Evidence) -> Finding:
    sent, found = evidence.sent, evidence.raw.records.total()
    looked = f"{sent.acknowledged:,} acknowledged, {found:,} in {len(evidence.contract.raw_topics)} raw topics"
    wrong = []
    if not found:
        wrong.append("the raw topics are empty")
    if sent.unacknowledged:
        wrong.append(f"{sent.unacknowledged:,} were not acknowledged")
    if sent.acknowledged != found:
        wrong.append(looked)
    return looked, wrong


def _canaries_planted(evidence: Evidence) -> Finding:
    issued, missing = evidence.sent.canaries, evidence.raw.missing_canaries
    looked = f"{issued - missing:,} of {issued:,} found, in all {len(evidence.raw.records)} raw topics"
    wrong = [] if issued else ["no canary was planted"]
    if missing:
        wrong.append(f"{missing:,} of {issued:,} are not there")
    blind = [topic for topic, count in evidence.raw.records.items() if count and not evidence.raw.marked[topic]]
    wrong += [f"the search finds none in {topic}" for topic in blind]
    return looked, wrong


def _nothing_leaked(evidence: Evidence) -> Finding:
    searched, out = evidence.searched, evidence.out
    looked = (
        f"{searched.size_bytes:,} bytes: {out.records.total():,} records, {out.quarantined:,} quarantine notes,"
        f" {searched.looked[LOGS]:,} log lines, {searched.looked[METRICS]:,} lines of metrics"
    )
    wrong = [
        f"{count:,} times: {kind} in the {part} of {place}"
        for (kind, place, part), count in sorted(searched.leaks.items())
    ]
    if _canaries_planted(evidence)[1]:
        wrong.append("void: not every canary is in raw")
    wrong += [
        f"void: {topic} was not searched whole"
        for topic, count in out.records.items()
        if searched.looked[topic] != count
    ]
    if searched.looked[evidence.contract.quarantine.name] != out.quarantined:
        wrong.append("void: quarantine was not searched whole")
    empty = {"records": out.records.total(), LOGS: searched.looked[LOGS], METRICS: searched.looked[METRICS]}
    wrong += [f"void: no {what} to search" for what, count in empty.items() if not count]
    return looked, wrong


def _times_coarse(evidence: Evidence) -> Finding:
    total = evidence.out.records.total()
    finer = [f"{count:,} finer in {topic}" for topic, count in evidence.out.finer_times.items() if count]
    return f"{total:,} timestamps", finer if total else ["there is no record"]


def _handles_differ(evidence: Evidence) -> Finding:
    by_purpose: dict[str, set[bytes]] = {}
    for topic, keys in evidence.out.keys.items():
        by_purpose.setdefault(evidence.contract.topics[topic].name.partition(".")[2], set()).update(keys)
    own = {name: handles & by_purpose.get(name, set()) for name, handles in evidence.handles.items()}
    seen = sorted(name for name, handles in own.items() if handles)
    total = sum(map(len, by_purpose.values()))
    looked = f"one device's in {len(seen)} purposes; of all {total:,} handles no two purposes share one"
    wrong = []
    if len(seen) < 2:  # noqa: PLR2004 - a comparison needs two
        wrong.append(f"the device's handle was found in {len(seen)} purposes: nothing to compare")
    names = sorted(by_purpose)
    wrong += [
        f"{first} and {second} share {len(by_purpose[first] & by_purpose[second]):,} handles"
        for number, first in enumerate(names)
        for second in names[number + 1 :]
        if by_purpose[first] & by_purpose[second]
    ]
    return looked, wrong


def _retention_kept(evidence: Evidence) -> Finding:
    wanted = len(evidence.contract.topics) + len(evidence.contract.raw_topics) + 2  # quarantine, changes
    looked = f"the live settings of {evidence.judged} topics keep their TTLs"
    wrong = list(evidence.breaches)
    if evidence.judged != wanted:
        wrong.append(f"{evidence.judged} of {wanted} topics were there to look at")
    return looked, wrong


def _workers_logged(evidence: Evidence) -> Finding:
    silent = [f"{worker} logged nothing" for worker in evidence.workers if not evidence.log_lines[worker]]
    return f"all {len(evidence.workers)} of them", silent if evidence.workers else ["there was no worker"]


def _example_whole(evidence: Evidence) -> Finding:
    example = evidence.example
    if example is None or not example.ids:
        return "", ["no event was found in raw that every view takes"]
    found = [after.topic for after in example.after]
    missing = [f"missing in {topic}" for topic in sorted(example.ids) if topic not in found]
    twice = [f"{found.count(topic)} times in {topic}" for topic in sorted(set(found)) if found.count(topic) > 1]
    return f"one {example.event.name}, found by its event id in {len(found)} topics", missing + twice


CHECKS: Final[dict[str, Callable[[Evidence], Finding]]] = {
    "every event sent is in raw": _published,
    "the books balance in every view": balances,
    "the topics hold what the books say": agrees,
    "the metrics say what the books say": metrics_agree,
    "quarantine holds the planted faults": noted,
    "every worker logged": _workers_logged,
    "every canary is in raw": _canaries_planted,
    "no canary, no identifier got through": _nothing_leaked,
    "no timestamp is finer than its view": _times_coarse,
    "handles differ between purposes": _handles_differ,
    "retention is as promised": _retention_kept,
    "one event is once in each of its views": _example_whole,
}
