"""`python -m tests.replay.dying STEP OCCURRENCE`: a replay whose process ends by SIGKILL at a step.

The first line of standard input names the worker's settings; the second is [event, since_ms, until_ms, topics, again].
"""

import os
import signal
import sys
from datetime import UTC, datetime

import orjson

from pipelines.contract import load_valid
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.steps import Step
from pipelines.replay.opening import open_replay
from pipelines.replay.selection import ByTime
from pipelines.replay.task import Task


def main(step: str, occurrence: int) -> None:
    worker = WorkerSettings.from_json(sys.stdin.buffer.readline())
    event, since_ms, until_ms, topics, again = orjson.loads(sys.stdin.buffer.readline())
    seen = 0

    def watch(now: Step) -> None:
        nonlocal seen
        seen += now == step
        if now == step and seen == occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    contract = load_valid(worker.contract_dir, as_of=datetime.now(UTC).date())
    task = Task(event, ByTime(since_ms, until_ms, tuple(topics)), again)
    open_replay(worker, contract, task, "tests", watch=watch).execute()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
