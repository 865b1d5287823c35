"""What every part of one worker shares: who it is, which cluster, where to speak, who watches."""

from __future__ import annotations

from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from pipelines.broker import Cluster
from pipelines.relay import metrics
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.steps import Step, Watch


@dataclass(frozen=True, slots=True)
class Station:
    """One slot's surroundings."""

    settings: WorkerSettings
    cluster: Cluster
    log: BoundLogger
    watch: Watch | None = None

    def at(self, step: Step) -> None:
        """Give a sign of life, and tell the watcher, if there is one, that this step is reached."""
        self.beat()
        if self.watch is not None:
            self.watch(step)

    def beat(self) -> None:
        """Give a sign of life: `health` takes a worker for stuck that gives none for long."""
        metrics.BEAT.labels(self.settings.source, str(self.settings.slot)).set_to_current_time()
