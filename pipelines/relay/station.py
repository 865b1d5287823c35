"""What every part of one worker shares: who it is, which cluster, where to speak, who watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from pipelines.broker import Cluster
from pipelines.relay import metrics
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.steps import Step, Watch


@dataclass(frozen=True, slots=True)
class Station:
    """One slot's surroundings.

    `waiting`, if set, is called while the worker waits for brokers. `keyring` is the mark of the keyring in use.
    """

    settings: WorkerSettings
    cluster: Cluster
    log: BoundLogger
    watch: Watch | None = None
    waiting: Callable[[], None] | None = None
    keyring: str = ""

    def at(self, step: Step) -> None:
        """Give a sign of life, and tell the watcher, if there is one, that this step is reached."""
        self._sign()
        if self.watch is not None:
            self.watch(step)

    def beat(self) -> None:
        """Give a sign of life while waiting for brokers, and keep the gauges true meanwhile."""
        self._sign()
        if self.waiting is not None:
            self.waiting()

    def _sign(self) -> None:
        """`health` takes a worker for stuck that does not do this for long."""
        metrics.BEAT.labels(self.settings.source, str(self.settings.slot)).set_to_current_time()
