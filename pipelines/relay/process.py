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
from collections.abc import Callable, Mapping
from typing import IO, NoReturn

from pipelines import __version__
from pipelines.broker import Cluster
from pipelines.hardening import forbid_core_dumps
from pipelines.minimize import compiled
from pipelines.relay import metrics
from pipelines.relay.ahead import read_ahead
from pipelines.relay.collector import relax
from pipelines.relay.logs import ClientLogHandler, LogStyle, configure
from pipelines.relay.preflight import contract_of, keyring_of, topic_ids_in_the_end
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.steps import Watch
from pipelines.relay.succession import StoppedError
from pipelines.relay.worker import Worker
from pipelines.trouble import Trouble

CRASHED = 70  # EX_SOFTWARE of sysexits.h


def main(
    stdin: IO[bytes],
    *,
    watch: Watch | None = None,
    connect: Callable[[str, Mapping[str, str]], Cluster] = Cluster,
) -> int:
    """Run one worker until it is told to stop; returns its exit code.

    Args:
        stdin: brings the settings, and ends when the supervisor does.
        watch: is told each step.
        connect: makes the cluster of its address and properties.
    """
    ahead = read_ahead()
    line = stdin.readline()
    if not line:
        return 0  # a spare that was not needed
    settings = WorkerSettings.from_json(line)
    log = configure(settings.slot_id, style=LogStyle.of(os.environ))
    logging.getLogger().handlers[:] = [ClientLogHandler(log)]
    try:
        contract = contract_of(settings, ahead)
        station = Station(settings, connect(settings.bootstrap, settings.properties), log, watch)
        keyring = keyring_of(settings, contract)
        stop = Stop(stdin)
        ids = topic_ids_in_the_end(station, contract, stop.is_wanted)
        walk = "compiled" if compiled() else "pure"
        metrics.BUILD.labels(walk).set(1)
        metrics.CONTRACT.labels(settings.source, str(settings.slot), __version__, contract.policy_version).set(1)
        log.info("worker.started", contract=contract.policy_version, walk=walk, pid=os.getpid())
        events = contract.events_of(settings.source)
        metrics.begin(settings.source, {event.raw_topic: [view.topic for view in event.views] for event in events})
        worker = Worker(station, contract, keyring, ids)
        stop.reaches(worker.stop)
        relax()
        worker.run()
    except StoppedError:
        pass  # while it waited for brokers, before there was a worker
    except Trouble as trouble:
        log.error("worker.trouble", message=str(trouble), hint=trouble.hint, exit_code=int(trouble.exit_code))  # noqa: TRY400 - a traceback may hold values
        return int(trouble.exit_code)
    except Exception as fault:  # noqa: BLE001 - a traceback may hold values: say the kind and the place only
        log.error("worker.crashed", kind=type(fault).__name__, place=_place(fault))  # noqa: TRY400 - as above
        return CRASHED
    log.info("worker.stopped")
    return 0


class Stop:
    """Hears SIGTERM, SIGINT and the end of standard input, also before there is a worker to stop."""

    def __init__(self, stdin: IO[bytes]) -> None:
        self._stdin = stdin
        self._cause: str | None = None
        self._tell: Callable[[str], None] = lambda _cause: None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._want("signal"))
        threading.Thread(target=self._wait, name="stdin", daemon=True).start()

    def is_wanted(self) -> bool:
        """Whether there was a reason to stop."""
        return self._cause is not None

    def reaches(self, tell: Callable[[str], None]) -> None:
        """Call this with the cause when there is one; at once, if there was one."""
        self._tell = tell
        if self._cause is not None:
            tell(self._cause)

    def _want(self, cause: str) -> None:
        self._cause = cause
        self._tell(cause)

    def _wait(self) -> None:
        # Not stream.read(): a thread that blocks inside a buffered reader keeps the interpreter from ending.
        with contextlib.suppress(OSError):
            while os.read(self._stdin.fileno(), 64):
                pass
        self._want("supervisor_gone")


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

    By now the batch in progress is committed or thrown away, the group knows, log lines are written one by one, and the
    metrics lie in shared pages of files. What is left are the client's threads and buffers.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    forbid_core_dumps()
    # Ctrl-C reaches the supervisor, too, which then asks for the end; until `Stop` Python would write a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave(main(sys.stdin.buffer))
