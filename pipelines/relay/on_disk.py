"""Whether the contract on disk is the one that the workers run: looked at from time to time, in a thread of its own.

A run reads its contract when it starts, and a worker that is started again reads it anew. So a contract that was
changed and not rolled out takes effect at the next crash, in one slot, and a broken one keeps that slot empty. Files'
names, sizes and times are compared first; only when they differ is the contract read, as a worker reads it: as data,
never as code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from structlog.stdlib import BoundLogger

from pipelines.contract.model import Contract
from pipelines.relay.ahead import current, marks
from pipelines.relay.health import policy_versions
from pipelines.stopping import StopFlag

EVERY_S: Final = 10.0
"""Seconds between two looks at the files."""


class OnDisk(StrEnum):
    """How the contract on disk stands to what workers run."""

    SAME = "same"
    DIFFERS = "differs"
    UNREADABLE = "unreadable"


class ContractOnDisk(Collector):
    """Compares the contract on disk with what workers run, and shows and logs it. Ends nothing, whatever it finds.

    Args:
        contract: what was read from the folder when the run started, under the overlay.
        registry: where workers show what they run.
        log: gets one line each time the finding changes.
    """

    def __init__(
        self, folder: Path, overlay: str | None, contract: Contract, registry: CollectorRegistry, log: BoundLogger
    ) -> None:
        self._folder = folder
        self._overlay = overlay
        self._registry = registry
        self._log = log
        self._stopping = StopFlag()
        self._seen: object = None  # the first look reads: a file may have changed since the start
        self._on_disk: str | None = contract.policy_version
        self._started_with = contract.policy_version
        self._logged: tuple[OnDisk, str | None] = (OnDisk.SAME, contract.policy_version)
        self._shown = OnDisk.SAME

    def finding(self, running: Collection[str]) -> OnDisk:
        """Return how the contract that was read last stands to these policy versions. Does no I/O.

        Without a running worker it is compared with the one that the run started with.
        """
        if self._on_disk is None:
            return OnDisk.UNREADABLE
        return OnDisk.SAME if set(running or [self._started_with]) == {self._on_disk} else OnDisk.DIFFERS

    def look(self) -> None:
        """Look at the files, read the contract if they changed, and log the finding if it is another.

        Takes milliseconds, and about a second when a file changed. Raises nothing.
        """
        self._read()
        running = policy_versions(self._registry.collect())
        self._shown = self.finding(running)
        found = (self._shown, self._on_disk)
        if found == self._logged:
            return
        self._logged = found
        say = self._log.info if self._shown is OnDisk.SAME else self._log.warning
        say(
            "contract.on_disk",
            state=self._shown.value,
            running=sorted(running),
            on_disk=self._on_disk,
            hint=_HINTS[self._shown],
        )

    def _read(self) -> None:
        try:
            # A contract is valid as of a day. What changes while it is read looks different at the next look.
            before = (marks(self._folder), datetime.now(UTC).date())
            if before == self._seen:
                return
            self._seen = before
            self._on_disk = current(self._folder, None, self._overlay).policy_version
        except Exception:  # noqa: BLE001 - a folder may hold anything, and a file be gone at any time: neither ends a run
            self._on_disk = None

    def run(self, every_s: float = EVERY_S) -> None:
        """Look until `stop`."""
        while not self._stopping.wait(every_s):
            self.look()

    def start(self) -> None:
        """Run in a thread that does not keep the process alive."""
        threading.Thread(target=self.run, name="contract", daemon=True).start()

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopping.set()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one gauge: 1 at the state that the last look found, 0 at the others."""
        gauge = GaugeMetricFamily(
            "pipelines_contract_on_disk",
            "How the contract on disk stands to what the workers run: 1 at the state that holds.",
            labels=["state"],
        )
        for state in OnDisk:
            gauge.add_metric([state.value], float(state is self._shown))
        yield gauge


_HINTS: Final = {
    OnDisk.SAME: "Nothing is to do.",
    OnDisk.DIFFERS: "Restart this run to use it, or put the other one back: a worker that is started again uses it.",
    OnDisk.UNREADABLE: "`pipelines validate` says what is wrong. A worker that is started again will not start.",
}
Finding = Callable[[Collection[str]], str]
"""What `/health` asks: policy versions that run → the state of the contract on disk."""
