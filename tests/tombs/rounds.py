"""Rounds: all kinds at once, each in a thread, and then what became of their graves."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.support.waiting import StalledError, until
from tests.tombs import kinds
from tests.tombs.grave import Grave
from tests.tombs.kinds import Kind
from tests.tombs.relayed import relayed_late, replayed
from tests.tombs.yard import Yards, yards

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "busy": kinds.busy,
        "idle": kinds.idle,
        "raw": kinds.raw,
        "ahead": kinds.ahead,
        "transactional": kinds.transactional,
        "marker-last": kinds.marker_last,
        "aborted": kinds.aborted,
        "hung-transaction": kinds.hung_transaction,
        "once-log-append": kinds.once_log_append,
        "ttl-cut": kinds.ttl_cut,
        "late-cut": kinds.late_cut,
        "killed-broker": kinds.killed_broker,
        "three-replicas": kinds.replicated,
        "relayed-late": relayed_late,
        "replayed": replayed,
    }
)
CONTROLS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "compacted": kinds.compacted,
        "retained-longer": kinds.retained_longer,
        "late-cut-at-once": kinds.late_cut_at_once,
    }
)

# All other kinds are on the plain cluster.
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType({"killed-broker": "mortal", "three-replicas": "trio"})
_LONGEST_S: Final = 400.0
_ATTEMPTS: Final = 4


def run(folder: Path, rounds: int, names: list[str], at_once: int = 1) -> Iterator[list[Grave]]:
    """So many rounds of these kinds and controls, on fresh brokers in the folder, so many at a time."""
    with yards(folder, _kafkas_of(names)) as ground, ThreadPoolExecutor(at_once) as pool:
        try:
            yield from pool.map(lambda number: _round(ground, number, names), range(1, rounds + 1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            ground.abandon()


def _kafkas_of(names: Iterable[str]) -> set[str]:
    """Which of the yards' clusters these kinds stand on."""
    return {_ELSEWHERE.get(name, "plain") for name in names}


def _round(ground: Yards, number: int, names: list[str]) -> list[Grave]:
    graves = [Grave(name, number) for name in names]
    threads = [threading.Thread(target=_bury, args=(ground, grave), name=grave.kind, daemon=True) for grave in graves]
    for thread in threads:
        thread.start()
    with suppress(StalledError):  # each grave ends by its own bound, if its kind gets that far
        until(
            lambda: not any(thread.is_alive() for thread in threads),
            "the end of every kind",
            progress=lambda: [(grave.attempt, grave.sealed_at, grave.done.is_set()) for grave in graves],
            stalled_s=_LONGEST_S,
            limit_s=3 * _LONGEST_S,
        )
    for thread, grave in zip(threads, graves, strict=True):
        if thread.is_alive():
            grave.fault = grave.fault or "it does not end"
            grave.done.set()
    return graves


def _bury(ground: Yards, grave: Grave) -> None:
    """Do what the kind does. What fails before all is written (a busy machine) is tried again, on another topic."""
    for attempt in range(1, _ATTEMPTS + 1):
        grave.attempt, grave.fault = attempt, None
        try:
            {**KINDS, **CONTROLS}[grave.kind](ground, grave)
        except Exception as fault:  # noqa: BLE001 - the report says so, and the other kinds go on
            grave.fault = f"{type(fault).__name__}: {fault}"
        if grave.fault is None or grave.sealed_at is not None:
            break
    grave.done.set()
