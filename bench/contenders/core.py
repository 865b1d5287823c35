"""The core alone, for counting its instructions: from polled messages to parcels, without a broker, always the same.

Reads the jobs from standard input (pickled by `bench.instructions`, so that no contract is loaded here). What is to be
counted lies between two calls of `getpgrp`, which nothing else calls and before which callgrind writes its counts.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

from bench.keys import OneRoot
from pipelines.broker import Message
from pipelines.contract.model import Contract, Event
from pipelines.minimize import compiled
from pipelines.relay.batch import Batch
from pipelines.relay.books import PartitionBook
from pipelines.relay.intake import Intake
from pipelines.relay.lane import Lane

NOON_MS = 1_795_000_000_000
EVENTS = 1_000  # of one batch; the values take turns


class Nowhere:
    """Takes records as a producer does."""

    def produce(self, *record: object) -> None:
        """Drop it."""

    def poll(self, timeout: float) -> int:  # noqa: ARG002
        """Nothing to serve."""
        return 0


def count(contract: Contract, event: Event, values: list[bytes]) -> None:
    """Minimize a batch to warm up, and the same again between two marks."""
    lane = Lane(contract, event, OneRoot("bench"), b"abcd")
    book = PartitionBook(0)
    book.open_views(lane.topics)
    messages = [
        Message(topic=event.raw_topic, partition=0, offset=offset, value=value, timestamp=(2, NOON_MS))
        for offset, value in enumerate(islice(cycle(values), EVENTS))
    ]
    intake, books = Intake({event.raw_topic: lane}), {(event.raw_topic, 0): book}

    def work() -> None:
        batch = Batch(NOON_MS)
        intake.take(batch, books, messages)
        for parcel in batch.parcels():
            parcel.send(Nowhere(), 0, parcel.size())  # type: ignore[arg-type]

    work()
    os.getpgrp()
    work()
    os.getpgrp()


def main() -> None:
    """Count every job, in order."""
    if not compiled():
        raise SystemExit("the walk is not compiled here")
    jobs: list[Any] = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent wrote it
    gc.disable()  # when it runs depends on all that was ever allocated, and it is not what is counted
    for job in jobs:
        count(*job)


if __name__ == "__main__":
    main()
