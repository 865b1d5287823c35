"""The checks: each looks at evidence and says whether a promise held, in a sentence with its figures.

A check that had nothing to look at has not held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.contract.model import Contract, View
from pipelines.demo.evidence import Evidence, Example
from pipelines.keys import SubkeySource
from pipelines.relay.accounting import Books
from pipelines.simulate import Tally


@dataclass(frozen=True, slots=True)
class Check:
    """A promise, whether it held, and what was looked at."""

    name: str
    held: bool
    detail: str


def published(evidence: Evidence, acknowledged: int, unacknowledged: int) -> Check:
    """Every event that the producer was told of is in raw, once."""
    found = evidence.raw.total()
    held = acknowledged == found > 0 and unacknowledged == 0
    return Check(
        "every event was acknowledged and is in raw",
        held,
        f"{acknowledged:,} acknowledged, {unacknowledged:,} not; {found:,} records in {len(evidence.raw)} raw topics",
    )


def accounting(books: Books, evidence: Evidence) -> Check:
    """In = out + quarantined + expired + suspended for each view, and the topics hold what the books say."""
    imbalances = [f"{topic}/{number}: {view}" for (topic, number), book in books.items() for view in book.imbalances()]
    events_in: Counter[str] = Counter()
    out: Counter[str] = Counter()
    for (raw_topic, _), book in books.items():
        events_in[raw_topic] += book.events_in + book.gap
        for topic, view in book.views.items():
            out[topic] += view.out
    wrong = [topic for topic in events_in | evidence.raw if events_in[topic] != evidence.raw[topic]]
    wrong += [topic for topic in out | evidence.out if out[topic] != evidence.out[topic]]
    views = {(raw_topic, view) for (raw_topic, _), book in books.items() for view in book.views}
    held = not imbalances and not wrong and bool(views)
    detail = f"{events_in.total():,} in = out + quarantined + expired + suspended for each of {len(views)} views"
    return Check("the books balance", held, detail if held else f"off in {', '.join([*imbalances, *wrong]) or 'all'}")


def canaries_planted(tally: Tally) -> Check:
    """Every canary is in raw: without that, not finding one in the output would prove nothing."""
    held = tally.issued > 0 and tally.missing == 0
    return Check("every canary is in raw", held, f"{tally.issued - tally.missing:,} of {tally.issued:,} found")


def no_leaks(evidence: Evidence, planted: Check) -> Check:
    """No canary and no identifier is in any byte that left, nor in a log line or a metric."""
    leaks = [f"{count} {kind} in the {part} of {place}" for (kind, place, part), count in evidence.leaks.items()]
    looked = f"{evidence.out.total():,} records, {evidence.quarantined:,} quarantine notes"
    told = f"{evidence.log_lines:,} log lines, {evidence.metric_lines:,} lines of metrics"
    complete = all((planted.held, evidence.out.total(), evidence.log_lines, evidence.metric_lines))
    detail = f"searched {evidence.searched_bytes:,} bytes: {looked}, {told}"
    if not planted.held:
        detail = "void: not every canary is in raw"
    return Check("no canary and no identifier got through", complete and not leaks, "; ".join(leaks) or detail)


def coarse_times(evidence: Evidence) -> Check:
    """No record's timestamp is finer than its view allows."""
    finer = [f"{count} in {topic}" for topic, count in evidence.finer_times.items()]
    held = not finer and evidence.out.total() > 0
    return Check(
        "no timestamp is finer than its view", held, "; ".join(finer) or f"{evidence.out.total():,} timestamps"
    )


def handles_differ(contract: Contract, keys: SubkeySource, evidence: Evidence, device: bytes, now_ms: int) -> Check:
    """One device has another handle in each purpose, and those handles are really in the topics."""
    handles: dict[str, bytes] = {}
    for topic, seen in evidence.keys.items():
        purpose = contract.purposes[topic.partition(".")[2]]
        if purpose.handle != "device":
            continue
        handle = keys.subkeys_at(purpose, now_ms).handle_maker("device")(device)
        if handle in seen:
            handles[purpose.name] = handle
    distinct = len(set(handles.values()))
    held = distinct == len(handles) >= 2  # noqa: PLR2004 - two purposes make a comparison
    return Check("one device's handles differ between purposes", held, f"{distinct} handles in {len(handles)} purposes")


def retention(breaches: Sequence[str], topics: int) -> Check:
    """The live settings of every topic keep its TTL."""
    held = not breaches and topics > 0
    return Check("retention is as promised", held, "; ".join(breaches) or f"{topics} topics on the broker")


def example_shown(example: Example | None, views: Sequence[View]) -> Check:
    """The example event's records are all there, each found by its event id."""
    found = 0 if example is None else len(example.after)
    return Check(
        "one event is in each of its views exactly once",
        found == len(views) > 0,
        f"{found} records, {len(views)} views",
    )


def as_json(checks: Sequence[Check], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome for a program."""
    rows = [{"check": check.name, "held": check.held, "detail": check.detail} for check in checks]
    return {"held": all(check.held for check in checks), "checks": rows, **extra}
