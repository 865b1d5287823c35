"""Deliberate faults in the relay or in the reading. A harness that finds nothing then proves nothing otherwise.

Each control breaks one of the promises on purpose; a run with it must find violations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.broker import Admin, Cluster, Consumer, TopicPartition

CONTROL: Final = "PIPELINES_CONTROL"
# The consumer commits the offsets, outside the transaction: at-least-once or worse.
OFFSETS_OUTSIDE: Final = "offsets-outside"
# A commit that took long leaves its producer in place, so that a retried EndTxn can end the next transaction
# (KAFKA-17754).
GUARD_OFF: Final = "guard-off"
# The reader that reads all along reads what was never committed.
READ_UNCOMMITTED: Final = "read-uncommitted-reader"
CONTROLS: Final = (OFFSETS_OUTSIDE, GUARD_OFF, READ_UNCOMMITTED)

# Longer than any commit may take: the guard never sees a slow one.
GUARD_OFF_MS: Final = 10**9


class OffsetsOutside:
    """A cluster whose producers commit the offsets by the consumer, outside the transaction."""

    def __init__(self, bootstrap: str, properties: Mapping[str, str]) -> None:
        self._real = Cluster(bootstrap, properties)
        self._consumers: list[Consumer] = []

    def consumer(self, **settings: Any) -> Consumer:
        """The real one, remembered."""
        self._consumers.append(self._real.consumer(**settings))
        return self._consumers[-1]

    def producer(self, **settings: Any) -> Any:
        """The real one, but for its offsets."""
        return _Producer(self._real.producer(**settings), self._consumers)

    def admin(self, **limits: Any) -> Admin:
        """The real one."""
        return self._real.admin(**limits)


class _Producer:
    def __init__(self, real: Any, consumers: list[Consumer]) -> None:
        self._real = real
        self._consumers = consumers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], *_: object) -> None:
        self._consumers[-1].commit(offsets=offsets, asynchronous=False)
