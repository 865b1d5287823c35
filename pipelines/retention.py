"""Retention: which topic settings keep the promise that a TTL is. Pure integers; no clock, no I/O, no Kafka.

The promise counts from the time at which the broker took the raw event: at the TTL's end the record is on no live
broker's disk. A broker that is down deletes nothing, so downtime adds to the bound, and the documents say so.

How long can a minimized record stay? Let its raw broker time be r, and its own timestamp (CreateTime) r floored to the
view's step. All times are in milliseconds.

1. The relay takes an event at most `late` after r, and its produce requests end with the transaction, which the
   coordinator ends at `transaction.timeout.ms` or on its next sweep after that. So the record is appended by
   r + late + transaction timeout + sweep.
2. The segment it lands in was begun by a batch whose timestamp is no later than that moment (or is ahead of it, by
   what `message.timestamp.after.max.ms` lets through), and Kafka rolls the segment before a timestamp more than
   `segment.ms` later would enter it (a transaction's markers carry the broker's clock and are measured the same way).
   So the segment's newest timestamp is at most `segment.ms` later.
3. Kafka deletes a segment, the active one too, when that newest timestamp is more than `retention.ms` old and a
   retention pass comes by: every check interval, or after the initial delay when the broker has just started.
4. A deleted segment's files are renamed, and vanish after the file delete delay.
5. The record itself says in its headers that it expires a TTL after the *floored* time, which may be a step before r.
   The promise is kept to that earlier time, so the step is subtracted too.

Hence, with slack for clocks that differ between brokers, for records that are ahead, and for a scheduler that is late:

    retention.ms = ttl - late - step - segment.ms - max(check interval, initial delay) - file delete delay
                   - (transaction timeout + sweep) - slack

A raw topic (LogAppendTime) has no late and no step; neither has quarantine (LogAppendTime), whose notes count from
their own writing. A producer of raw events may use transactions, so the transaction's time stays subtracted.

The bound is of time only. It needs `cleanup.policy=delete` and no tiered storage. A topic whose TTL is cut keeps its
old segments' span until they are gone: `settled_after_ms` says for how long.

Three questions, three functions: `minimized` (a promise, which settings?), `worst_case_ms` (settings, which promise?),
and `TooShort` of the first (no settings; which promise could be kept?).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TRANSACTION_TIMEOUT_MS: Final = 30_000
"""The relay's `transaction.timeout.ms`."""
SWEEP_MS: Final = 10_000
"""How often the transaction coordinator looks for transactions that timed out."""
SLACK_MS: Final = 60_000
"""For clocks that differ, records that are ahead, and passes that start late."""
AHEAD_MS: Final = 300_000
"""A raw event may be dated ahead of the clock by so much; see `relay.believed`."""
LEAST_RETENTION_MS: Final = 60_000
"""A shorter `retention.ms` leaves consumers no time to read."""
LEAST_SEGMENT_MS: Final = 10_000
MOST_SEGMENT_MS: Final = 7 * 24 * 3_600_000
FOREVER_MS: Final = 2**63 - 1
"""What `worst_case_ms` gives when Kafka keeps records without end (`retention.ms` -1)."""

_SEGMENTS: Final = 16  # a partition's data lies in about this many segments, so a 16th of the time is lost to rolling
_MAPS: Final = 65_530  # Linux' vm.max_map_count; a broker maps two index files of each segment


@dataclass(frozen=True, slots=True)
class BrokerTimes:
    """What a broker and its clients take beyond `retention.ms` (ms; defaults: Kafka 4.3 and the relay).

    `check_interval_ms` is `log.retention.check.interval.ms`, `initial_delay_ms` `log.initial.task.delay.ms` (which
    DescribeConfigs does not show), `delete_delay_ms` `file.delete.delay.ms`, `sweep_ms`
    `transaction.abort.timed.out.transaction.cleanup.interval.ms`. `transaction_timeout_ms` is the producers',
    `slack_ms` a choice.

    Raises:
        ValueError: one of them is negative.
    """

    check_interval_ms: int = 300_000
    initial_delay_ms: int = 30_000
    delete_delay_ms: int = 60_000
    sweep_ms: int = SWEEP_MS
    transaction_timeout_ms: int = TRANSACTION_TIMEOUT_MS
    slack_ms: int = SLACK_MS

    def __post_init__(self) -> None:
        delays = (self.check_interval_ms, self.initial_delay_ms, self.delete_delay_ms)
        if min(*delays, self.sweep_ms, self.transaction_timeout_ms, self.slack_ms) < 0:
            raise ValueError("delays cannot be negative")

    @property
    def look_ms(self) -> int:
        """The longest wait for a retention pass."""
        return max(self.check_interval_ms, self.initial_delay_ms)


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
    overhead = sum(overheads(late_ms, step_ms, times).values())
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


def worst_case_ms(
    retention_ms: int, segment_ms: int, late_ms: int, step_ms: int, times: BrokerTimes, *, ahead_ms: int = 0
) -> int:
    """The TTL that these live settings keep: a record may be on a live broker's disk for so long, and no longer.

    The inverse of `minimized`; give late and step 0 for a raw topic or quarantine. A negative `retention_ms` means no
    limit to Kafka, and gives `FOREVER_MS`.

    Args:
        ahead_ms: how far a record's own time may lie ahead (`message.timestamp.after.max.ms`; 0 for LogAppendTime).
            The slack covers as much of it as there is slack.
    """
    if retention_ms < 0:
        return FOREVER_MS
    beyond_ms = max(0, ahead_ms - times.slack_ms)
    kept_ms = retention_ms + segment_ms + beyond_ms + sum(overheads(late_ms, step_ms, times).values())
    return min(kept_ms, FOREVER_MS)


def overheads(late_ms: int, step_ms: int, times: BrokerTimes) -> Mapping[str, int]:
    """All that stands between a TTL and the time that retention and segment may share, by name (ms).

    Raises:
        ValueError: a negative late or step.
    """
    if min(late_ms, step_ms) < 0:
        raise ValueError("lateness and step cannot be negative")
    return {
        "late": late_ms,
        "step": step_ms,
        "retention pass": times.look_ms,
        "file delete delay": times.delete_delay_ms,
        "transaction": times.transaction_timeout_ms + times.sweep_ms,
        "slack": times.slack_ms,
    }


def settled_after_ms(before: TopicSettings, after: TopicSettings, times: BrokerTimes, *, ahead_ms: int = 0) -> int:
    """For how long after a change of its settings a topic may still hold what the new settings would not (ms).

    When only `retention.ms` is cut, the next pass takes all that is too old. When `segment.ms` is cut, segments that
    were begun before span more, and their newest timestamp is no later than the change: they go when that is
    `retention.ms` old. What was ahead of the clock keeps its segment by so much longer, and that segment takes more
    records until `segment.ms` has passed. `FOREVER_MS` where records could be ahead without end.

    Args:
        times: the delays, each the longer of those before and after.
        ahead_ms: how far a record's own time could lie ahead before the change (see `worst_case_ms`).
    """
    beyond_ms = max(0, ahead_ms - times.slack_ms)
    delay_ms = times.look_ms + times.delete_delay_ms + times.slack_ms
    if beyond_ms:
        return min(after.retention_ms + after.segment_ms + beyond_ms + delay_ms, FOREVER_MS)
    return delay_ms + (after.retention_ms if before.segment_ms > after.segment_ms else 0)


def latecomers_gone_ms(kept: TopicSettings, times: BrokerTimes, *, ahead_ms: int = 0) -> int:
    """How long after its append a record may be on a disk, however old it was when it came (ms).

    Its segment's newest timestamp is at most `segment.ms` later than the append, or ahead by `ahead_ms` (see
    `worst_case_ms`).
    """
    if kept.retention_ms < 0:
        return FOREVER_MS
    beyond_ms = max(0, ahead_ms - times.slack_ms)
    delay_ms = times.look_ms + times.delete_delay_ms + times.slack_ms
    return min(kept.retention_ms + kept.segment_ms + beyond_ms + delay_ms, FOREVER_MS)


def segments(retention_ms: int, segment_ms: int, times: BrokerTimes) -> int:
    """How many segments a busy partition has at most when none is cut by its size (`segment.bytes`)."""
    waiting_ms = retention_ms + times.look_ms + times.delete_delay_ms
    return -(-waiting_ms // max(1, segment_ms)) + 2  # the one being written, and the one that straddles the limit


def too_many(segments_a_broker: int) -> bool:
    """Whether so many segments come near what a Linux broker can map by default (two files each; a half is near)."""
    return 4 * segments_a_broker > _MAPS
