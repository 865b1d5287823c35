"""What a contender says while it works: a line of JSON, ten times a second, on standard output.

    {"at": seconds, "cpu": seconds of this process' CPU, all threads, "events": so many, "rss_mb": …, "peak_mb": …, …}

It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVERY_S = 0.1


def job() -> dict[str, Any]:
    """The job: the first line of standard input."""
    document: dict[str, Any] = json.loads(sys.stdin.readline())
    return document


def tick(
    events: Callable[[], int], stop: Callable[[], None], more: Callable[[], dict[str, int]] = dict[str, int]
) -> None:
    """Begin to say how far it is, and whatever `more` gives; call `stop` when nobody listens any more."""

    def say() -> None:
        while True:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            sizes = {
                line.split(":")[0]: int(line.split()[1]) // 1024
                for line in status.splitlines()
                if "VmRSS" in line or "VmHWM" in line
            }
            line = {
                "at": time.monotonic(),
                "cpu": time.process_time(),
                "events": events(),
                "rss_mb": sizes["VmRSS"],
                "peak_mb": sizes["VmHWM"],
                **more(),
            }
            try:
                os.write(1, json.dumps(line).encode() + b"\n")
            except OSError:
                return
            time.sleep(EVERY_S)

    def wait() -> None:
        while os.read(0, 64):
            pass
        stop()

    threading.Thread(target=say, daemon=True).start()
    threading.Thread(target=wait, daemon=True).start()
