"""Reading everything that came out, compactly: a final read, and a reader of its own process that reads all along.

Both write, for each partition of each topic, a file of entries (offset, digest) in the order in which they were read.
What was read all along must be the same as what is there at the end: a record that was seen and is not there was never
committed. No byte of a record's value is kept.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Self

from pipelines.broker import Cluster, KafkaError, Message, TopicPartition
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, open_keyring
from tests.support.oracle import Record, seen, singles
from tests.support.waiting import CALL_S

ENTRY: Final = struct.Struct(">q16s")
_WAIT_S: Final = 0.1
_BATCH: Final = 2_000


@dataclass(frozen=True, slots=True)
class Site:
    """A house's folder and its Kafka, as a process of its own can be told of them."""

    folder: Path
    bootstrap: str

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.bootstrap)

    def contract(self) -> Contract:
        return load_valid(self.folder, as_of=datetime.now(UTC).date())

    def keyring(self) -> Keyring:
        return open_keyring(self.folder / "keyring.json", self.folder / "kek")


def topics_out(contract: Contract) -> tuple[str, ...]:
    """Where the relay writes: the minimized topics, then quarantine. A topic's index here is its name in files."""
    return (*sorted(contract.topics), contract.quarantine.name)


def digest_of(output: Record | bytes) -> bytes:
    """What stands for a record or a note: 16 bytes."""
    return hashlib.blake2b(output, digest_size=16).digest() if isinstance(output, bytes) else output.digest


def outputs_of(contract: Contract, message: Message) -> Sequence[Record | bytes]:
    """A record of a minimized topic, or the bytes of each note in a record of quarantine."""
    return singles(message) if message.topic() == contract.quarantine.name else [seen(message)]


def digest_of_all(outputs: Sequence[Record | bytes]) -> bytes:
    """What stands for all that one message holds: 16 bytes."""
    return digest_of(b"".join(map(digest_of, outputs)))


def read_all_along(site: Site, folder: Path, isolation: str, stop: Path) -> None:
    """Read until the file `stop` is there and everything after it is read; to be run in a process of its own."""
    contract = site.contract()
    with Sequences(folder, contract) as sequences:
        for message in _following(site, contract, isolation, stop):
            sequences.add(message, digest_of_all(outputs_of(contract, message)))


class Sequences:
    """The files of a reader: one for each partition that had records."""

    def __init__(self, folder: Path, contract: Contract) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._topics = {topic: index for index, topic in enumerate(topics_out(contract))}
        self._files: dict[tuple[str, int], IO[bytes]] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, message: Message, digest: bytes) -> None:
        """The next entry of the message's partition."""
        key = (message.topic() or "", message.partition() or 0)
        file = self._files.get(key)
        if file is None:
            name = f"{self._topics[key[0]]}-{key[1]}"
            file = self._files[key] = self._open.enter_context((self._folder / name).open("wb"))
        file.write(ENTRY.pack(message.offset() or 0, digest))


def differing(earlier: Path, final: Path) -> tuple[int, int]:
    """What one reader saw and the final one did not, and what the final one saw and the earlier one did not."""
    names = {file.name for folder in (earlier, final) for file in folder.iterdir()}
    only_earlier = only_final = 0
    for name in sorted(names):
        one, other = _bytes(earlier / name), _bytes(final / name)
        if one != other:
            a, b = _entries(one), _entries(other)
            only_earlier += len(set(a) - set(b))
            only_final += len(set(b) - set(a))
            if set(a) == set(b):  # the same, but read twice or in another order
                only_earlier += sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
    return only_earlier, only_final


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def _entries(data: bytes) -> Sequence[bytes]:
    return [data[at : at + ENTRY.size] for at in range(0, len(data), ENTRY.size)]


def _following(site: Site, contract: Contract, isolation: str, stop: Path) -> Iterator[Message]:
    """Every record from the first on, over whatever happens to the brokers, until `stop` and then to the ends."""
    cluster, partitions = site.cluster, dict[tuple[str, int], int]()
    for topic, info in cluster.admin(timeout_s=CALL_S).topics(topics_out(contract)).items():
        partitions |= {(topic, number): 0 for number in range(info.partitions)}
    consumer = cluster.consumer(**{"isolation.level": isolation, "enable.partition.eof": True})
    consumer.assign([TopicPartition(*partition, offset) for partition, offset in partitions.items()])
    to_end = dict[tuple[str, int], int]()
    stopping = False
    try:
        while True:
            if not stopping and stop.exists():
                stopping, to_end = True, _ends(site, partitions)
            if stopping and not {key for key, end in to_end.items() if partitions[key] < end}:
                return
            for message in consumer.consume(_BATCH, _WAIT_S):
                key = (message.topic() or "", message.partition() or 0)
                error = message.error()
                if error is None:
                    partitions[key] = (message.offset() or 0) + 1
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    partitions[key] = message.offset() or 0  # past markers and what was aborted
                elif error.fatal() or not _passing(error):
                    raise RuntimeError(f"the reader cannot go on: {error.name()}")
    finally:
        consumer.close()


def _ends(site: Site, partitions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    ends = site.cluster.admin(timeout_s=CALL_S).offsets(partitions, "latest")
    return {key: end.offset for key, end in ends.items()}


def _passing(error: KafkaError) -> bool:
    # Codes below zero are librdkafka's own: connections and brokers that are away. Losing one's position is not.
    return error.retriable() or (error.code() < 0 and error.code() != KafkaError._AUTO_OFFSET_RESET)
