"""The metrics of all worker processes, read from the files of Prometheus' multiprocess mode, broken files or not.

A worker's file is empty for a moment when it is made, and gone when its process has ended, perhaps between listing the
folder and reading it. `MultiProcessCollector` raises for each of these, and `/metrics`, `/health` and the look for
stuck workers would fail with it. Here a file that cannot be read costs what is in it and nothing else, and is shown and
logged.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

UNREADABLE: Final = "pipelines_metrics_unreadable_files"
"""The gauge that counts the files that cannot be read now, by `kind`: `counter`, `histogram`, `gauge_livemax`…"""
MOMENT_S: Final = 10.0
"""So long the last complete figures stand in for those of a file that cannot be read."""
_LENGTH: Final = struct.Struct("i")  # what a file begins with: how many bytes of it are used


class Log(Protocol):
    """What is needed of a logger."""

    def error(self, event: str, **fields: Any) -> Any:
        """Write a line."""


class WorkerMetrics(Collector):
    """Collects what the files in a folder hold, summed over processes. Safe to use from several threads.

    A counter that falls and comes back looks like a restart to Prometheus, and its rate like a burst. So while a file
    that has counts is unreadable for a moment, the figures stand still; after that it is left out.

    Args:
        folder: the workers' PROMETHEUS_MULTIPROC_DIR.
        log: is told once of each file that stays unreadable (`metrics.unreadable`).
        clock: monotonic seconds; tests move it by hand.
    """

    def __init__(self, folder: Path, log: Log | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._complete: list[Metric] = []
        self._broken_since: dict[Path, float] = {}
        self._told: set[Path] = set()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, and how many files cannot be read."""
        with self._lock:
            files = sorted(self._folder.glob("*.db"))
            found = self._merge(files)
            broken = list(self._broken_since)
        yield from found
        unreadable = GaugeMetricFamily(UNREADABLE, "Files of workers' metrics that cannot be read.", labels=["kind"])
        kinds = Counter(_kind(file) for file in broken)
        for kind in sorted({_kind(file) for file in files} | kinds.keys()):
            unreadable.add_metric([kind], kinds[kind])
        yield unreadable

    def _merge(self, files: list[Path]) -> list[Metric]:
        found = _merged(files)
        if found is not None:
            self._broken_since, self._complete = {}, found
            return found
        now = self._clock()
        broken = [file for file in files if _merged([file]) is None and file.exists()]
        self._broken_since = {file: self._broken_since.get(file, now) for file in broken}
        lasting = {file for file, since in self._broken_since.items() if now - since >= MOMENT_S}
        self._tell(lasting)
        if self._complete and any(_size(file) > 0 for file in set(broken) - lasting):
            return self._complete
        rest = _merged([file for file in files if file not in broken and file.exists()])
        if rest is None:  # they changed meanwhile, or contradict each other
            self._broken_since = {file: self._broken_since.get(file, now) for file in files}
            return self._complete
        return rest

    def _tell(self, lasting: set[Path]) -> None:
        for file in sorted(lasting - self._told):
            if self._log is not None:
                self._log.error("metrics.unreadable", file=file.name)
        self._told |= lasting


def registry_of(folder: Path, log: Log | None = None) -> CollectorRegistry:
    """Return a registry of the metrics of all worker processes whose PROMETHEUS_MULTIPROC_DIR is the folder."""
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(folder, log))
    return registry


def _merged(files: Sequence[Path]) -> list[Metric] | None:
    """Return the metrics in the files; None when one of them cannot be read."""
    try:
        for file in files:
            with file.open("rb") as opened:  # a length below 0 would pass for a file without counts
                if _LENGTH.unpack(opened.read(_LENGTH.size))[0] < 0:
                    return None
        return list(MultiProcessCollector.merge([str(file) for file in files]))  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - a file of another process may hold anything, and be gone at any time
        return None


def _kind(file: Path) -> str:
    """Return a file's name without the process id: COUNTER_17.db, GAUGE_LIVEMAX_17.db."""
    return file.stem.rpartition("_")[0]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
