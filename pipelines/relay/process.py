"""A worker's process: its settings come as the first line of standard input, and its end when that closes.

So a worker never outlives its supervisor, and no setting (a password may be among the Kafka properties) shows in the
process list. A process that gets no settings for a while is a spare: by then it has all imported, and read the
contract that its environment names. It has no key and no client of Kafka.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import IO, NoReturn

from pipelines.broker import Cluster
from pipelines.minimize import compiled
from pipelines.relay import metrics
from pipelines.relay.ahead import read_ahead
from pipelines.relay.collector import relax
from pipelines.relay.logs import ClientLogHandler, configure
from pipelines.relay.preflight import contract_of, keyring_of, topic_ids
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.steps import Watch
from pipelines.relay.worker import Worker
from pipelines.trouble import Trouble

CRASHED = 70  # EX_SOFTWARE of sysexits.h


def main(stdin: IO[bytes], *, watch: Watch | None = None) -> int:
    """Run one worker until it is told to stop; returns its exit code."""
    ahead = read_ahead()
    line = stdin.readline()
    if not line:
        return 0  # a spare that was not needed
    settings = WorkerSettings.from_json(line)
    log = configure(settings.slot_id)
    logging.getLogger().handlers[:] = [ClientLogHandler(log)]
    try:
        contract = contract_of(settings, ahead)
        cluster = Cluster(settings.bootstrap, settings.properties)
        keyring = keyring_of(settings, contract)
        ids = topic_ids(contract, cluster, settings.source, settings.initial_delay_ms)
        walk = "compiled" if compiled() else "pure"
        metrics.BUILD.labels(walk).set(1)
        log.info("worker.started", contract=contract.policy_version, walk=walk, pid=os.getpid())
        events = contract.events_of(settings.source)
        metrics.begin(settings.source, {event.raw_topic: [view.topic for view in event.views] for event in events})
        worker = Worker(Station(settings, cluster, log, watch), contract, keyring, ids)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: worker.stop("signal"))
        _on_end(stdin, lambda: worker.stop("supervisor_gone"))
        relax()
        worker.run()
    except Trouble as trouble:
        log.error("worker.trouble", message=str(trouble), hint=trouble.hint, exit_code=int(trouble.exit_code))  # noqa: TRY400 - a traceback may hold values
        return int(trouble.exit_code)
    except Exception as fault:  # noqa: BLE001 - a traceback may hold values: say the kind and the place only
        log.error("worker.crashed", kind=type(fault).__name__, place=_place(fault))  # noqa: TRY400 - as above
        return CRASHED
    log.info("worker.stopped")
    return 0


def _on_end(stream: IO[bytes], stop: Callable[[], None]) -> None:
    def wait() -> None:
        # Not stream.read(): a thread that blocks inside a buffered reader keeps the interpreter from ending.
        with contextlib.suppress(OSError):
            while os.read(stream.fileno(), 64):
                pass
        stop()

    threading.Thread(target=wait, name="stdin", daemon=True).start()


def _place(fault: BaseException) -> str:
    """The innermost line of ours that the fault passed, as module:line."""
    place, trace = "", fault.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("pipelines"):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def leave(exit_code: int) -> NoReturn:
    """End the process without taking it down piece by piece, for which the Kafka client needs seconds.

    By now the batch at hand is committed or thrown away, the group knows, log lines are written one by one, and the
    metrics lie in shared pages of files. What is left are the client's threads and buffers.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    leave(main(sys.stdin.buffer))
