"""The stage: an embedded Kafka with the contract's topics, keys, and supervised workers, all in one folder.

Everything is made anew for each run and lives below the folder, so that a demo never meets keys or topics that matter.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from structlog.stdlib import BoundLogger

from pipelines.broker import Cluster, EmbeddedKafka
from pipelines.contract.model import DAY_MS, Contract
from pipelines.keys import Keyring, LocalKeyEncryption, extend
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.supervisor import Launch, Supervisor
from pipelines.topics.apply import apply

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands while a demo runs. `logs` and `metrics` are where the workers wrote."""

    folder: Path
    contract_dir: Path
    contract: Contract
    cluster: Cluster
    keyring: Keyring
    logs: Path
    metrics: Path


@dataclass(frozen=True, slots=True)
class Crew:
    """How many workers a source gets, and who speaks for their supervisor."""

    workers: int
    log: BoundLogger


@contextmanager
def staged(
    folder: Path, contract_dir: Path, contract: Contract, now_ms: int, say: Say, *, keep: bool
) -> Iterator[Stage]:
    """Set the stage, and take it down again unless `keep`.

    Raises:
        Trouble: whatever stands in the way of a broker, its topics or the keys.
    """
    kafka = EmbeddedKafka(folder / "broker", progress=say)
    kafka.stop()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    with ExitStack() as undo:
        if not keep:
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            undo.callback(kafka.stop)
        kafka.start()
        made = apply(contract, kafka.cluster.admin())
        say(f"Made {len(made.created)} topics, each with the retention that keeps its promise.")
        kek = LocalKeyEncryption.create(folder / "kek")
        roots = extend(
            folder / "keyring.json",
            kek,
            contract.purposes.values(),
            first_ms=now_ms - max(topic.ttl_ms for topic in contract.raw_topics.values()),
            last_ms=now_ms + DAY_MS,
        )
        say(f"Made {len(roots.made)} roots: for each purpose and epoch one, so that handles differ between purposes.")
        metrics = folder / "metrics"
        metrics.mkdir()
        yield Stage(
            folder,
            contract_dir,
            contract,
            kafka.cluster,
            Keyring.open(folder / "keyring.json", kek),
            folder / "workers.log",
            metrics,
        )


@contextmanager
def working(stage: Stage, crew: Crew) -> Iterator[Supervisor]:
    """Have the workers of every source run; on leaving they finish their batch."""
    settings = [
        WorkerSettings(
            source=source,
            instance="demo",
            slot=slot,
            contract_dir=stage.contract_dir.resolve(),
            bootstrap=stage.cluster.bootstrap,
            keyring=(stage.folder / "keyring.json").resolve(),
            kek_file=(stage.folder / "kek").resolve(),
        )
        for source in stage.contract.sources
        for slot in range(crew.workers)
    ]
    with stage.logs.open("ab") as output:
        launch = Launch(environment={"PROMETHEUS_MULTIPROC_DIR": str(stage.metrics)}, output=output.fileno())
        supervisor = Supervisor(settings, crew.log, launch)
        thread = threading.Thread(target=supervisor.run, name="supervisor")
        thread.start()
        try:
            yield supervisor
        finally:
            supervisor.stop()
            thread.join()
