"""The crew: the workers of every source, supervised in this process while the play lasts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.demo.stage import Stage
from pipelines.relay.logs import configure
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.supervisor import Launch, Supervisor


@contextmanager
def working(stage: Stage, workers: int) -> Iterator[list[str]]:
    """Have `workers` workers of every source run; on leaving they finish their batch. Gives their slots' ids."""
    settings = [
        WorkerSettings(
            source=source,
            instance="demo",
            slot=slot,
            contract_dir=stage.contract_dir.resolve(),
            bootstrap=stage.cluster.bootstrap,
            keyring=stage.keyring_file.resolve(),
            kek_file=stage.kek_file.resolve(),
        )
        for source in stage.contract.sources
        for slot in range(workers)
    ]
    with stage.worker_log.open("ab") as output, (stage.folder / "supervisor.log").open("w") as log:
        launch = Launch(environment={"PROMETHEUS_MULTIPROC_DIR": str(stage.metrics)}, output=output.fileno())
        supervisor = Supervisor(settings, configure("supervisor", log), launch)
        thread = threading.Thread(target=supervisor.run, name="supervisor")
        thread.start()
        try:
            yield [one.slot_id for one in settings]
        finally:
            supervisor.stop()
            thread.join()
