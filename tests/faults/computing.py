"""What must be there and what is there, as entries in files: for millions of events, in several processes.

An entry is a digest and what is needed to judge order. Entries go to buckets by the record's key, so that a bucket can
be judged alone: all records of one handle are in one. So memory is bounded by the largest bucket.
"""

from __future__ import annotations

import gc
import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

import orjson

from pipelines.broker import Message, records
from tests.faults.reader import Sequences, Site, digest_of, digest_of_all, outputs_of, topics_out
from tests.support.oracle import Record, obligations

BUCKETS: Final = 16
_PROCESSES: Final = 2
_LAYOUT: Final = struct.Struct(">16s8sHq")
NO_LANE: Final = bytes(8)


class Entry(NamedTuple):
    """A record or note. `lane` stands for topic, handle and epoch (zero without a handle).

    `partition` and `offset` are those of the raw event in what must be there, zero in what is there.
    """

    digest: bytes
    lane: bytes
    partition: int
    offset: int


@dataclass(slots=True)
class Counted:
    """What the raw topic obliges to, counted: events by partition; records and quarantined events by (view, partition).

    A note on a whole event is counted for every view.
    """

    events: Counter[int] = field(default_factory=Counter)
    out: Counter[tuple[str, int]] = field(default_factory=Counter)
    quarantined: Counter[tuple[str, int]] = field(default_factory=Counter)

    def update(self, other: Counted) -> None:
        """Add what another process counted."""
        self.events.update(other.events)
        self.out.update(other.out)
        self.quarantined.update(other.quarantined)


def compute(site: Site, folder: Path, raw_partitions: int) -> Counted:
    """Write `folder`/expected, `folder`/got (buckets) and `folder`/final (sequences)."""
    counted = Counted()
    # Not forked: librdkafka's threads would be missing there.
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        shares = [frozenset(range(share, raw_partitions, _PROCESSES)) for share in range(_PROCESSES)]
        expected = [pool.submit(expect_entries, site, folder, share) for share in shares]
        pool.submit(read_entries, site, folder).result()
        for part in expected:
            counted.update(part.result())
    return counted


def expect_entries(site: Site, folder: Path, partitions: frozenset[int]) -> Counted:
    """Compute what these raw partitions oblige to."""
    gc.disable()  # nothing here is ever in a cycle
    contract, counted = site.contract(), Counted()

    def count(message: Message) -> None:
        counted.events[message.partition() or 0] += 1

    with Buckets(folder / "expected", str(min(partitions, default=0))) as buckets:
        for (_, partition, offset), output in obligations(contract, site.cluster, site.keyring(), count, partitions):
            if isinstance(output, bytes):
                view = orjson.loads(output)["view"]
                counted.quarantined.update((topic, partition) for topic in ([view] if view else contract.topics))
            else:
                counted.out[output.topic, partition] += 1
            buckets.add(entry_of(output, partition, offset))
    return counted


def read_entries(site: Site, folder: Path) -> None:
    """Read all that came out, each output partition in its order."""
    gc.disable()
    contract = site.contract()
    with Buckets(folder / "got", "all") as buckets, Sequences(folder / "final", contract) as sequences:
        for topic in topics_out(contract):
            for message in records(site.cluster, topic):
                outputs = outputs_of(contract, message)
                sequences.add(message, digest_of_all(outputs))
                for output in outputs:
                    buckets.add(entry_of(output, 0, 0))


def entry_of(output: Record | bytes, partition: int, offset: int) -> Entry:
    """The entry of a record or a note."""
    lane = NO_LANE
    if isinstance(output, Record) and output.key is not None:
        lane = hashlib.blake2b(repr((output.topic, output.key, output.epoch)).encode(), digest_size=8).digest()
    return Entry(digest_of(output), lane, partition, offset)


class Buckets:
    """Files of entries, by lane, or by digest where there is none."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._open = ExitStack()
        self._files: list[IO[bytes]] = [
            self._open.enter_context((folder / f"{bucket}.{name}").open("wb")) for bucket in range(BUCKETS)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, entry: Entry) -> None:
        """Append an entry to its bucket."""
        by = entry.digest if entry.lane == NO_LANE else entry.lane
        self._files[by[0] % BUCKETS].write(_LAYOUT.pack(*entry))


def entries(folder: Path, bucket: int) -> Iterator[Entry]:
    """All entries of a bucket; what one process wrote is in its order."""
    for file in sorted(folder.glob(f"{bucket}.*")):
        for fields in _LAYOUT.iter_unpack(file.read_bytes()):
            yield Entry(*fields)
