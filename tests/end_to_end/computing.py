"""The oracle over a whole contract, in processes of its own: the reference is slow, and the machine has more cores."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from pipelines.broker import Cluster
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.keys import Keyring, open_keyring
from tests.oracle import Expectation, expect

_PROCESSES = 2


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


Parts = list[Future[Expectation]]


@contextmanager
def computing(place: Place, busiest_first: list[str]) -> Iterator[Parts]:
    """Begin to compute what the raw topics oblige to, one event type after the other; `joined` waits for it."""
    # Not forked: librdkafka's threads would be missing there.
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        yield [pool.submit(_expect, place, event) for event in busiest_first]


def joined(parts: Parts) -> Expectation:
    """The whole expectation."""
    whole = Expectation()
    for part in parts:
        expectation = part.result()
        whole.records.update(expectation.records)
        whole.notes.update(expectation.notes)
        whole.origin.update(expectation.origin)
        whole.events.update(expectation.events)
    return whole


def _expect(place: Place, event: str) -> Expectation:
    gc.disable()  # nothing here is garbage but what counting frees, and looking for it takes a third of the time
    contract = place.contract()
    alone = replace(contract, events={event: contract.events[event]})
    return expect(alone, place.cluster, place.keyring())
