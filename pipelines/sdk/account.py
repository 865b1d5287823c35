"""The account of one producer: each event is awaited, failed or acknowledged, at any moment and whoever interrupts.

Safe for several threads. What is acknowledged is what was entered and is neither awaited nor failed. An event is
entered and settled in an order in which an interruption (Ctrl-C between two steps) leaves one too many among the
unacknowledged rather than one too few. Holds numbers and names, never a value or a key.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pipelines.sdk.report import IN_FLIGHT, Report, Unacknowledged


@dataclass(slots=True)
class Account:
    """What became of the events handed to one producer; `told` are those that a report has named as in flight."""

    told: set[int] = field(default_factory=set)
    _entered: int = 0
    _reported: int = 0
    _given_up: int = 0
    _awaited: dict[int, str] = field(default_factory=dict)
    _failed: dict[int, Unacknowledged] = field(default_factory=dict)
    # Reentrant, because a signal's handler may send an event too.
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def enter(self, event: str) -> int:
        """Await an event; returns its number, from 1."""
        with self._lock:
            number = self._entered + 1
            self._awaited[number] = event
            self._entered = number
            return number

    def acknowledge(self, number: int) -> None:
        """Kafka has the event."""
        with self._lock:
            self._awaited.pop(number, None)

    def fail(self, number: int, error: str) -> None:
        """Kafka did not say that it has the event."""
        with self._lock:
            event = self._awaited.get(number)
            if event is not None:
                self._failed[number] = Unacknowledged(event, number, error)
                del self._awaited[number]

    def report(self) -> Report:
        """What was settled since the last report, and what is in flight."""
        with self._lock:
            failed = self._failed
            waiting = {n: Unacknowledged(event, n, IN_FLIGHT) for n, event in self._awaited.items() if n not in failed}
            given_up = self._given_up + len(failed)
            acknowledged = self._entered - given_up - sum(number <= self._entered for number in waiting)
            lost = tuple(sorted([*failed.values(), *waiting.values()], key=lambda each: each.number))
            report = Report(acknowledged - self._reported, lost)
            self._given_up, self._reported, self._failed, self.told = given_up, acknowledged, {}, set(waiting)
            return report

    def untold(self) -> tuple[Unacknowledged, ...]:
        """Report, and keep of it what no report had told of."""
        told = self.told
        return tuple(lost for lost in self.report().unacknowledged if lost.number not in told)
