"""Watching: verify again and again, show the figures, and sound an alarm for as long as a promise does not hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from structlog.stdlib import BoundLogger

from pipelines.broker import Cluster
from pipelines.contract.model import Contract
from pipelines.stopping import StopFlag
from pipelines.topics.gauges import VerdictCollector
from pipelines.topics.verifying import Verdict, verify
from pipelines.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, how often (seconds), and the brokers' own `log.initial.task.delay.ms`."""

    contract: Contract
    cluster: Cluster
    every_s: float
    initial_delay_ms: int


class Watch:
    """Verifies at an interval. Log lines `topics.drift` and `topics.unproven` come each time, not once.

    Args:
        watched: see there.
        log: where they go.
        heard: called with each verdict.
    """

    def __init__(
        self, watched: Watched, log: BoundLogger, heard: Callable[[Verdict], None] = lambda _verdict: None
    ) -> None:
        self.collector = VerdictCollector()
        self._watched = watched
        self._log = log
        self._heard = heard
        self._stopping = StopFlag()

    def run(self) -> None:
        """Verify until `stop`. A cluster that does not answer is said, and asked again."""
        while not self._stopping.is_set():
            self._look()
            self._stopping.wait(self._watched.every_s)

    def start(self) -> None:
        """Run in a thread that does not keep the process alive."""
        threading.Thread(target=self.run, name="topics", daemon=True).start()

    def stop(self) -> None:
        """End after the present look. May be called from a signal handler."""
        self._stopping.set()

    def _look(self) -> None:
        watched = self._watched
        try:
            verdict = verify(
                watched.contract,
                watched.cluster,
                int(time.time() * 1000),
                initial_delay_ms=watched.initial_delay_ms,
            )
        except Trouble as trouble:
            self._log.warning("topics.unverified", message=str(trouble), hint=trouble.hint)
            return
        self.collector.verdict = verdict
        for breach in verdict.breaches:
            self._log.error(
                "topics.drift",
                topic=breach.topic,
                code=breach.code,
                message=breach.message,
                settings=[f"{name} is {said}" for name, said in breach.settings.items()],
                command=breach.command,
            )
        for unproven in verdict.unproven:
            self._log.warning(
                "topics.unproven", topic=unproven.topic, partition=unproven.partition, message=unproven.why
            )
        self._heard(verdict)
