"""Where a contender's CPU time goes, by its threads: its own code beside its client's work. Linux only; else empty."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NUMBER: Final = re.compile(r"[-#:_ ]*[-0-9]+$")


class Threads:
    """The threads of one process, also those that have ended meanwhile."""

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._seen: dict[str, tuple[str, float]] = {}

    def cpu(self) -> Mapping[str, float]:
        """Seconds of CPU so far, by the threads' name without its number; the kernel keeps 15 characters of a name.

        On-CPU time is the first figure of a task's `schedstat` (Linux, sched-stats.rst, ns).
        """
        with contextlib.suppress(FileNotFoundError):
            for task in self._tasks.iterdir():
                with contextlib.suppress(OSError):  # it ended in this moment
                    name = _NUMBER.sub("", (task / "comm").read_text().strip())
                    self._seen[task.name] = name, int((task / "schedstat").read_text().split()[0]) / 1e9
        sums: defaultdict[str, float] = defaultdict(float)
        for name, seconds in self._seen.values():
            sums[name] += seconds
        return sums
