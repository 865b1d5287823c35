"""The kinds of tombs: each writes a canary in its own way, seals its grave, and keeps its topic as busy as need be.

A kind runs in a thread of its own until its grave is done. The worst case is what `retention.worst_case_ms` says under
the yard's timings; where a kind adds to it, it says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from pipelines import retention
from pipelines.retention import TopicSettings
from tests.support.kafka import flushed
from tests.support.waiting import CALL_S
from tests.tombs.grave import Grave
from tests.tombs.writing import BEAT_S, fill, fill_in_transactions, open_topic, producer_of, seal, worst_ms, write
from tests.tombs.yard import RETENTION_MS, SEGMENT_MS, TIMES, Yard, Yards, now_ms

LATE_MS: Final = 8_000
_LATE_BEFORE_MS: Final = 40_000
_DOWN_S: Final = 4.0
_LONG: Final = TopicSettings(retention_ms=600_000, segment_ms=60_000)
_SHORT: Final = TopicSettings(RETENTION_MS, SEGMENT_MS)

Kind = Callable[[Yards, Grave], None]


def busy(yards: Yards, grave: Grave) -> None:
    """Records keep coming, so the canary's segment is as old as it may get."""
    _busy(yards.plain, grave)


def replicated(yards: Yards, grave: Grave) -> None:
    """The same on three brokers; the last byte of all three replicas counts."""
    _busy(yards.trio, grave)


def _busy(yard: Yard, grave: Grave, **configs: str) -> None:
    topic, producer = open_topic(yard, grave, **configs), producer_of(yard, grave)
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms)  # the first in its segment, so it is the oldest there will be
    seal(yard, grave, born_ms)
    fill(grave, producer, topic)


def raw(yards: Yards, grave: Grave) -> None:
    """A raw topic: the broker's clock counts, whatever a producer says."""
    yard = yards.plain
    topic, producer = open_topic(yard, grave, message_timestamp_type="LogAppendTime"), producer_of(yard, grave)
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms - 3_600_000)
    seal(yard, grave, born_ms)
    fill(grave, producer, topic)


def idle(yards: Yards, grave: Grave) -> None:
    """Nothing comes after the canary."""
    yard = yards.plain
    topic, producer = open_topic(yard, grave), producer_of(yard, grave)
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms)
    seal(yard, grave, born_ms)
    grave.done.wait()


def ahead(yards: Yards, grave: Grave) -> None:
    """A record whose time lies ahead by as much as the topic lets in, which the slack has to cover."""
    yard = yards.plain
    topic, producer = open_topic(yard, grave), producer_of(yard, grave)
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms + TIMES.slack_ms - 1_000)
    seal(yard, grave, born_ms)
    fill(grave, producer, topic)


def transactional(yards: Yards, grave: Grave) -> None:
    """Committed transactions, one a record."""
    yard = yards.plain
    topic, producer = open_topic(yard, grave), producer_of(yard, grave, transactional=True)
    producer.begin_transaction()
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms)
    producer.commit_transaction(CALL_S)
    seal(yard, grave, born_ms)
    fill_in_transactions(yard, grave, producer, topic)


def marker_last(yards: Yards, grave: Grave) -> None:
    """The last thing in the partition is a transaction's marker."""
    _one_transaction(yards, grave, commit=True)


def aborted(yards: Yards, grave: Grave) -> None:
    """Aborted records lie on the disk like any, and no consumer sees them."""
    _one_transaction(yards, grave, commit=False)


def _one_transaction(yards: Yards, grave: Grave, *, commit: bool) -> None:
    yard = yards.plain
    topic, producer = open_topic(yard, grave), producer_of(yard, grave, transactional=True)
    producer.begin_transaction()
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms)
    time.sleep(1.0)
    if commit:
        producer.commit_transaction(CALL_S)
    else:
        producer.abort_transaction(CALL_S)
    seal(yard, grave, born_ms)
    grave.done.wait()


def hung_transaction(yards: Yards, grave: Grave) -> None:
    """Nobody ends the transaction but the coordinator; other records keep coming."""
    yard = yards.plain
    topic, hanging = open_topic(yard, grave), producer_of(yard, grave, transactional=True)
    hanging.begin_transaction()
    born_ms = now_ms()
    write(hanging, topic, grave.canary, born_ms)
    seal(yard, grave, born_ms)
    fill(grave, producer_of(yard, grave), topic)
    del hanging


def once_log_append(yards: Yards, grave: Grave) -> None:
    """Written late while the topic still had LogAppendTime, so that it counts from its append; then CreateTime."""
    yard = yards.plain
    topic = open_topic(yard, grave, message_timestamp_type="LogAppendTime")
    producer = producer_of(yard, grave)
    born_ms = now_ms() - LATE_MS
    write(producer, topic, grave.canary, born_ms)
    yard.alter(topic, message_timestamp_type="CreateTime")
    seal(yard, grave, born_ms, worst_ms(LATE_MS))
    fill(grave, producer, topic)


def ttl_cut(yards: Yards, grave: Grave) -> None:
    """Ten minutes' retention is cut while the topic runs, segments first. The bound counts from the cut."""
    yard = yards.plain
    topic = open_topic(yard, grave, retention_ms=str(_LONG.retention_ms), segment_ms=str(_LONG.segment_ms))
    producer = producer_of(yard, grave)
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms)
    for _ in range(25):
        time.sleep(BEAT_S)
        write(producer, topic, b"filler", now_ms())
    yard.alter(topic, segment_ms=str(SEGMENT_MS))
    yard.alter(topic, retention_ms=str(RETENTION_MS))
    cut_ms = now_ms() - born_ms
    seal(yard, grave, born_ms, max(worst_ms(), cut_ms + retention.settled_after_ms(_LONG, _SHORT, TIMES)))
    fill(grave, producer, topic)


def late_cut(yards: Yards, grave: Grave) -> None:
    """A shorter `late` gives more to retention, and waits until what came by the old one is gone."""
    _late_cut(yards.plain, grave, retention.latecomers_gone_ms(_SHORT, TIMES))


def late_cut_at_once(yards: Yards, grave: Grave) -> None:
    """A control: it does not wait, so what came late lives longer than promised."""
    _late_cut(yards.plain, grave, 0)


def _late_cut(yard: Yard, grave: Grave, wait_ms: int) -> None:
    topic, producer = open_topic(yard, grave), producer_of(yard, grave)
    write(producer, topic, b"filler", now_ms())  # begins the segment, which would roll at once after an old record
    born_ms = now_ms() - _LATE_BEFORE_MS
    write(producer, topic, grave.canary, born_ms)
    yard.alter(topic, message_timestamp_before_max_ms=str(TIMES.slack_ms))
    seal(yard, grave, born_ms, worst_ms(_LATE_BEFORE_MS))
    grows_at_ms: int | None = now_ms() + wait_ms
    while not grave.done.wait(BEAT_S):
        if grows_at_ms is not None and now_ms() >= grows_at_ms:
            yard.alter(topic, retention_ms=str(RETENTION_MS + _LATE_BEFORE_MS))
            grows_at_ms = None
        producer.produce(topic, b"filler", timestamp=now_ms())
        producer.poll(0)
    producer.flush(5)


def killed_broker(yards: Yards, grave: Grave) -> None:
    """`kill -9` a second before the canary could go. The bound grows by the downtime and by the initial delay."""
    with yards.mortal.being_killed:
        _killed_broker(yards.mortal, grave)


def _killed_broker(yard: Yard, grave: Grave) -> None:
    topic, producer = open_topic(yard, grave), producer_of(yard, grave)
    born_ms = now_ms()
    write(producer, topic, grave.canary, born_ms)
    seal(yard, grave, born_ms, worst_ms() + 600_000)  # until it is known for how long the broker is down
    while now_ms() < born_ms + RETENTION_MS - 1_000:
        time.sleep(BEAT_S)
        producer.produce(topic, b"filler", timestamp=now_ms())
        producer.poll(0)
    (node_id,) = yard.kafka.pids()
    killed_ms = now_ms()
    yard.kafka.kill(node_id)
    time.sleep(_DOWN_S)
    yard.kafka.restart(node_id)
    seal(yard, grave, born_ms, worst_ms() + (now_ms() - killed_ms) + TIMES.initial_delay_ms)
    fill(grave, producer, topic)


def compacted(yards: Yards, grave: Grave) -> None:
    """A control: compaction keeps what has no newer record of its key."""
    yard = yards.plain
    topic, producer = open_topic(yard, grave, cleanup_policy="compact"), producer_of(yard, grave)
    born_ms = now_ms()
    producer.produce(topic, grave.canary, b"key", timestamp=born_ms)
    flushed(producer)
    seal(yard, grave, born_ms)
    while not grave.done.wait(BEAT_S):
        producer.produce(topic, b"filler", b"another key", timestamp=now_ms())
        producer.poll(0)


def retained_longer(yards: Yards, grave: Grave) -> None:
    """A control: somebody lengthened the retention."""
    _busy(yards.plain, grave, retention_ms=str(RETENTION_MS * 10))
