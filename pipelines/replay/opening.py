"""From a command's arguments to a replay that is ready to run: the checks that a worker makes before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields

from pipelines.broker import Cluster
from pipelines.contract.model import Contract
from pipelines.relay.logs import LogStyle, configure
from pipelines.relay.preflight import keyring_of, topic_ids
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.steps import Watch
from pipelines.replay.engine import Replay
from pipelines.replay.recording import ReplayRecorder
from pipelines.replay.task import ReplaySettings, Task
from pipelines.topics.record import Author, Recorder


def open_replay(
    worker: WorkerSettings,
    contract: Contract,
    task: Task,
    by: str,
    *,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
    watch: Watch | None = None,
    style: LogStyle | None = None,
    clock: Callable[[], float] = time.time,
) -> Replay:
    """The replay of a task.

    Args:
        worker: the settings of any worker of the event type's source.
        contract: valid as of today.
        task: what to replay; its event type is the contract's.
        by: who replays it, for the record.
        tell: told how many of how many raw offsets are done.
        watch: told the steps of each batch.
        style: how log lines look, and which are written.
        clock: seconds since 1970.

    Raises:
        Trouble: (exit 3) no key for now, or no broker answers; (exit 4) a topic breaks its promise.
    """
    cluster = Cluster(worker.bootstrap, worker.properties)
    keyring = keyring_of(worker, contract)
    raw_topic = contract.events[task.event].raw_topic
    topic_id = topic_ids(contract, cluster, worker.source)[raw_topic]
    shared = {each.name: getattr(worker, each.name) for each in fields(WorkerSettings)}
    settings = ReplaySettings(**shared, event=task.event, name=task.name(contract, topic_id))
    station = Station(settings, cluster, configure(settings.slot_id, style=style), watch)
    author = Author(by, cluster.properties.get("sasl.username", ""), contract.digest.hex(), {"replay": settings.name})
    recorder = ReplayRecorder(Recorder(cluster, contract.changes.name, author), task, clock)
    return Replay(station, contract, keyring, task, topic_id, recorder, tell=tell, clock=clock)
