"""The core alone, for counting its instructions: from polled messages to parcels, without a broker, always the same."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from bench.job import job_of_shape
from bench.shapes import Shape
from pipelines.broker import Message
from pipelines.minimize import compiled
from pipelines.relay.accounting import PartitionBook
from pipelines.relay.batch import Batch
from pipelines.relay.intake import Intake
from pipelines.relay.lane import Lane

NOON_MS = 1_795_000_000_000
POOL = 100


class Nowhere:
    """Takes records as a producer does."""

    def produce(self, *record: object) -> None:
        """Drop it."""

    def poll(self, timeout: float) -> int:  # noqa: ARG002
        """Nothing to serve."""
        return 0


def main(case: str, events: int) -> None:
    """Minimize so many events."""
    if not compiled():
        raise SystemExit("the walk is not compiled here")
    with tempfile.TemporaryDirectory() as folder:
        job = job_of_shape(Path(folder), Shape(views=3 if case == "three views" else 1, devices=50), pool=POOL)
    lane = Lane(job.contract, job.event, job.keys, b"abcd")
    book = PartitionBook(0)
    book.open_views(lane.topics)
    raw_topic = job.event.raw_topic
    messages = [
        Message(topic=raw_topic, partition=0, offset=offset, value=job.pool[offset % POOL][1], timestamp=(2, NOON_MS))
        for offset in range(POOL)
    ]
    intake = Intake({raw_topic: lane})
    for _ in range(events // POOL):
        batch = Batch(NOON_MS)
        intake.take(batch, {(raw_topic, 0): book}, messages)
        for parcel in batch.parcels():
            parcel.send(Nowhere(), 0, parcel.size())  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
