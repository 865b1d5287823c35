"""The oracle over a whole contract, in processes of its own: the reference is slow, and the machine has more cores."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from pipelines.broker import Cluster, Message
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, open_keyring
from pipelines.simulate import Tally
from pipelines.trouble import Trouble
from tests.support.oracle import Expectation, expect

_PROCESSES = 2
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A contract's folder, with the keys in their default place, and the Kafka that its topics are on."""

    folder: Path
    bootstrap: str

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.bootstrap)

    def contract(self) -> Contract:
        return load_valid(self.folder, as_of=datetime.now(UTC).date())

    def keyring(self) -> Keyring:
        return open_keyring(self.folder / ".pipelines/keyring.json", self.folder / ".pipelines/kek")


Part = tuple[Expectation, Tally]


@contextmanager
def computing(place: Place, busiest_first: list[str], canaries: int) -> Iterator[list[Future[Part]]]:
    """Begin to read the raw topics, one event type after the other, and to compute what they oblige to."""
    # Not forked: librdkafka's threads would be missing there.
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        yield [pool.submit(_read, place, event, canaries) for event in busiest_first]


def joined(parts: list[Future[Part]], canaries: int) -> Part:
    """Wait for all of them: the whole expectation, and which canaries were seen in raw."""
    whole, seen = Expectation(), Tally(canaries)
    for part in parts:
        expectation, tally = part.result()
        whole.records.update(expectation.records)
        whole.notes.update(expectation.notes)
        whole.origin.update(expectation.origin)
        whole.events.update(expectation.events)
        seen.add(tally)
    return whole, seen


def _read(place: Place, event: str, canaries: int) -> Part:
    """Read again when no broker answered for ten seconds, as on a machine that has too much to do."""
    for _ in range(_TRIES - 1):
        with suppress(Trouble):
            return _read_once(place, event, canaries)
    try:
        return _read_once(place, event, canaries)
    except Trouble as trouble:  # which no other process could unpickle
        raise AssertionError(str(trouble)) from None


def _read_once(place: Place, event: str, canaries: int) -> Part:
    gc.disable()  # all of it is kept to the end, so looking for garbage is looking in vain
    contract, tally = place.contract(), Tally(canaries)
    alone = replace(contract, events={event: contract.events[event]})

    def note(message: Message) -> None:
        value = message.value()
        assert isinstance(value, bytes)
        tally.note(value)

    return expect(alone, place.cluster, place.keyring(), note), tally
