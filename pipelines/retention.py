"""Retention: which topic settings keep the promise that a TTL is. Pure integers; no clock, no I/O, no Kafka.

The promise counts from the time at which the broker took the raw event: at the TTL's end the record is on no live
broker's disk. A broker that is down deletes nothing, so downtime adds to the bound, and the documents say so.

How long can a minimized record stay? Let its raw broker time be r, and its own timestamp (CreateTime) r floored to the
view's step. All times are in milliseconds.

1. The relay takes an event at most `late` after r, and its produce requests end with the transaction, which the
   coordinator ends at `transaction.timeout.ms` or on its next sweep after that. So the record is appended by
   r + late + TRANSACTION_TIMEOUT_MS + SWEEP_MS.
2. The segment it lands in was begun by a batch whose timestamp is no later than that moment, and Kafka rolls the
   segment before a timestamp more than `segment.ms` later would enter it (a transaction's markers carry the
   broker's clock and are measured the same way). So the segment's newest timestamp is at most `segment.ms` later.
3. Kafka deletes a segment, the active one too, when that newest timestamp is more than `retention.ms` old and a
   retention pass comes by: every check interval, or after the initial delay when the broker has just started.
4. A deleted segment's files are renamed, and vanish after the file delete delay.
5. The record itself says in its headers that it expires a TTL after the *floored* time, which may be a step before r.
   The promise is kept to that earlier time, so the step is subtracted too.

Hence, with slack for clocks that differ between brokers and for a scheduler that is late:

    retention.ms = ttl - late - step - segment.ms - max(check interval, initial delay) - file delete delay
                   - (transaction timeout + sweep) - slack

A raw topic (LogAppendTime) has no late and no step; neither has quarantine (LogAppendTime), whose notes count from
their own writing. A producer of raw events may use transactions, so the transaction's time stays subtracted.

The bound is of time only. It needs `cleanup.policy=delete`, no tiered storage and `segment.jitter.ms` 0; a topic
whose TTL is cut keeps its old segments' span until they are gone.
"""

from dataclasses import dataclass
from typing import Final

TRANSACTION_TIMEOUT_MS: Final = 30_000
"""The relay's `transaction.timeout.ms`."""
SWEEP_MS: Final = 10_000
"""How often the transaction coordinator looks for transactions that timed out."""
SLACK_MS: Final = 60_000
"""For clocks that differ and passes that start late."""
LEAST_RETENTION_MS: Final = 60_000
"""A shorter `retention.ms` leaves consumers no time to read."""
LEAST_SEGMENT_MS: Final = 10_000
MOST_SEGMENT_MS: Final = 7 * 24 * 3_600_000
FOREVER_MS: Final = 2**63 - 1
"""What `worst_case_ms` gives when Kafka keeps records without end (`retention.ms` -1)."""

_SEGMENTS: Final = 16  # a partition's data lies in about this many segments, so a 16th of the time is lost to rolling


@dataclass(frozen=True, slots=True)
class BrokerTimes:
    """What a broker takes beyond `retention.ms` (defaults: Kafka 4.3).

    `check_interval_ms` is `log.retention.check.interval.ms`, `initial_delay_ms` `log.initial.task.delay.ms` (which
    DescribeConfigs does not show), `delete_delay_ms` `file.delete.delay.ms`.
    """

    check_interval_ms: int = 300_000
    initial_delay_ms: int = 30_000
    delete_delay_ms: int = 60_000

    def __post_init__(self) -> None:
        if min(self.check_interval_ms, self.initial_delay_ms, self.delete_delay_ms) < 0:
            raise ValueError("a broker's delays cannot be negative")


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """`retention.ms` and `segment.ms` of a topic."""

    retention_ms: int
    segment_ms: int


@dataclass(frozen=True, slots=True)
class TooShort:
    """The TTL cannot be kept; `shortest_ttl_ms` is the least that can, with everything else as it was."""

    shortest_ttl_ms: int


def minimized(ttl_ms: int, late_ms: int, step_ms: int, times: BrokerTimes) -> TopicSettings | TooShort:
    """The settings under which a minimized topic keeps its TTL.

    Args:
        ttl_ms: the promise, counted from the raw broker time.
        late_ms: how old an event may be when the relay takes it.
        step_ms: the coarsest step of the topic's views.
        times: the brokers' own delays.

    Raises:
        ValueError: a negative late or step.
    """
    overhead = _overhead_ms(late_ms, step_ms, times)
    budget = ttl_ms - overhead
    if budget < LEAST_RETENTION_MS + LEAST_SEGMENT_MS:
        return TooShort(overhead + LEAST_RETENTION_MS + LEAST_SEGMENT_MS)
    segment_ms = min(max(budget // _SEGMENTS, LEAST_SEGMENT_MS), MOST_SEGMENT_MS)
    return TopicSettings(budget - segment_ms, segment_ms)


def raw(ttl_ms: int, times: BrokerTimes) -> TopicSettings | TooShort:
    """The settings under which a raw topic keeps its TTL, counted from the append to it."""
    return minimized(ttl_ms, 0, 0, times)


def quarantine(ttl_ms: int, times: BrokerTimes) -> TopicSettings | TooShort:
    """The settings under which the quarantine topic keeps its TTL, counted from the append to it."""
    return minimized(ttl_ms, 0, 0, times)


def worst_case_ms(retention_ms: int, segment_ms: int, late_ms: int, step_ms: int, times: BrokerTimes) -> int:
    """The TTL that these live settings keep: a record may be on a live broker's disk for so long, and no longer.

    The inverse of `minimized`; give late and step 0 for a raw topic or quarantine. A negative `retention_ms` means no
    limit to Kafka, and gives `FOREVER_MS`.
    """
    if retention_ms < 0:
        return FOREVER_MS
    return retention_ms + segment_ms + _overhead_ms(late_ms, step_ms, times)


def _overhead_ms(late_ms: int, step_ms: int, times: BrokerTimes) -> int:
    """All that stands between a TTL and the time that retention and segment may share."""
    if min(late_ms, step_ms) < 0:
        raise ValueError("lateness and step cannot be negative")
    look = max(times.check_interval_ms, times.initial_delay_ms)
    return late_ms + step_ms + look + times.delete_delay_ms + TRANSACTION_TIMEOUT_MS + SWEEP_MS + SLACK_MS
