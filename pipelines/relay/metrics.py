"""What a worker shows to Prometheus. Labels are names from the contract and codes of closed sets, never values.

Counters grow after a commit, from the difference that the batch made in the books, so they agree with them. Workers
write into the files of Prometheus' multiprocess mode (PROMETHEUS_MULTIPROC_DIR, which must be set before this file is
imported); the supervisor serves the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram

from pipelines.relay.batch import Batch
from pipelines.relay.books import Books, PartitionBook

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

EVENTS_IN = Counter("pipelines_events_in", "Raw events read and committed.", ["raw_topic"])
OUT = Counter("pipelines_records_out", "Minimized records committed.", ["raw_topic", "topic"])
QUARANTINED = Counter("pipelines_events_quarantined", "Events noted in quarantine.", ["raw_topic", "reason"])
EXPIRED = Counter("pipelines_events_expired", "Events too late for a view.", ["raw_topic", "topic"])
SUSPENDED = Counter("pipelines_events_suspended", "Events held from a view without review.", ["raw_topic", "topic"])
GAP = Counter("pipelines_offsets_gap", "Raw offsets that expired before they were read.", ["raw_topic"])
LAG = Gauge("pipelines_lag_events", "Raw offsets not yet committed.", ["raw_topic"], multiprocess_mode="livesum")
LAG_SECONDS = Gauge(
    "pipelines_lag_seconds", "Age of the oldest raw event not yet committed, 0 when caught up.", ["raw_topic"],
    multiprocess_mode="livemax",
)  # fmt: skip
EXPIRY_SECONDS = Gauge(
    "pipelines_expiry_seconds",
    "When the oldest unread raw event will be too late for a topic, or past the raw topic's own TTL, if it goes on so.",
    ["raw_topic", "topic"], multiprocess_mode="livemin",
)  # fmt: skip
INPUT_ERRORS = Counter("pipelines_input_errors", "Errors that came instead of raw events.", ["raw_topic", "reason"])
BATCH_SECONDS = Histogram("pipelines_batch_seconds", "From poll to commit.", ["source"], buckets=_SECONDS)
COMMIT_SECONDS = Histogram("pipelines_commit_seconds", "The commit alone.", ["source"], buckets=_SECONDS)
REPLACEMENTS = Counter("pipelines_producer_replacements", "Producers replaced.", ["source", "reason"])
REWINDS = Counter("pipelines_rewinds", "Batches thrown away and read again.", ["source"])
KEY_RUNWAY = Gauge(
    "pipelines_key_runway_seconds", "How far ahead there are keys.", ["purpose"], multiprocess_mode="livemin"
)
REVIEW_EXPIRY = Gauge(
    "pipelines_review_expiry_timestamp_seconds", "When the purpose's review ends.", ["purpose"],
    multiprocess_mode="livemin",
)  # fmt: skip
CLOCK_BEHIND = Gauge(
    "pipelines_clock_behind_seconds", "How far the brokers' time is ahead of the worker's.", ["source"],
    multiprocess_mode="livemax",
)  # fmt: skip
BEAT = Gauge(
    "pipelines_worker_beat_timestamp_seconds", "When the worker last took a step.", ["source", "slot"],
    multiprocess_mode="livemax",
)  # fmt: skip
STALLED = Gauge(
    "pipelines_worker_stalled_seconds",
    "For how long the worker has run without a commit while input waited, 0 after each commit.", ["source", "slot"],
    multiprocess_mode="livemax",
)  # fmt: skip
BUILD = Gauge(
    "pipelines_build_info", "1 where a worker's walk runs so: compiled, or pure Python.", ["walk"],
    multiprocess_mode="livemax",
)  # fmt: skip

CONTRACT = Gauge(
    "pipelines_contract_info",
    "1 for the release and the contract (its policy version) that a worker runs.",
    ["source", "slot", "version", "policy_version"], multiprocess_mode="livemax",
)  # fmt: skip


def begin(source: str, views: Mapping[str, Iterable[str]]) -> None:
    """Show the counters of a worker from 0 on: one that appears with its first event hides that event from `rate()`.

    Args:
        source: the worker's.
        views: raw topic → the minimized topics of its views.
    """
    REWINDS.labels(source)
    CLOCK_BEHIND.labels(source)
    for reason in ("slow_commit", "slow_offsets"):
        REPLACEMENTS.labels(source, reason)
    BATCH_SECONDS.labels(source)
    COMMIT_SECONDS.labels(source)
    for raw_topic, topics in views.items():
        EVENTS_IN.labels(raw_topic)
        GAP.labels(raw_topic)
        for reason in ("_BAD_MSG", "_BAD_COMPRESSION"):
            INPUT_ERRORS.labels(raw_topic, reason)
        for topic in topics:
            for counter in (OUT, EXPIRED, SUSPENDED):
                counter.labels(raw_topic, topic)


def committed(batch: Batch, before: Books) -> None:
    """Count what a committed batch did. `before` are the books that it started from."""
    for (raw_topic, partition), book in batch.books.items():
        _count(raw_topic, before[raw_topic, partition], book)
    for (raw_topic, reason), count in batch.reasons.items():
        QUARANTINED.labels(raw_topic, reason).inc(count)


def _count(raw_topic: str, was: PartitionBook, now: PartitionBook) -> None:
    EVENTS_IN.labels(raw_topic).inc(now.events_in - was.events_in)
    for topic, book in now.views.items():
        old = was.views[topic]
        OUT.labels(raw_topic, topic).inc(book.out - old.out)
        EXPIRED.labels(raw_topic, topic).inc(book.expired - old.expired)
        SUSPENDED.labels(raw_topic, topic).inc(book.suspended - old.suspended)


def lag(raw_topic: str, events: int, seconds: float) -> None:
    """Set the lag of a raw topic over the partitions that this worker holds."""
    LAG.labels(raw_topic).set(events)
    LAG_SECONDS.labels(raw_topic).set(seconds)


def purposes(runway_ms: Mapping[str, int], expiries_ms: Iterable[tuple[str, int]]) -> None:
    """Set how far ahead the keys and the reviews of the purposes reach."""
    for purpose, runway in runway_ms.items():
        KEY_RUNWAY.labels(purpose).set(runway / 1000)
    for purpose, expiry_ms in expiries_ms:
        REVIEW_EXPIRY.labels(purpose).set(expiry_ms / 1000)
