"""The kinds that the project's own code writes: a relay at the largest `late` there is, and a replay at that age.

The canary is a device's handle, the record's key. The worker's or replay's transaction is held back until the event is
exactly as old as the topic lets in; it was judged before, so it goes out.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipelines import retention
from pipelines.broker import records
from pipelines.relay.steps import Step, Watch
from tests.support.relay_fixture import RelayFixture, build, running
from tests.support.replay_scene import Scene
from tests.tombs.grave import Grave
from tests.tombs.writing import seal, worst_ms
from tests.tombs.yard import RETENTION_MS, SEGMENT_MS, TIMES, Yard, Yards, now_ms

LATE_S: Final = 20
# The relay's transactions have a timeout of their own.
_TIMES: Final = replace(TIMES, transaction_timeout_ms=retention.TRANSACTION_TIMEOUT_MS)
_BEAT_S: Final = 0.2


def relayed_late(yards: Yards, grave: Grave) -> None:
    """The relay writes at the last moment that `late` allows, into a busy segment."""
    with _house(yards.plain) as house:
        born_ms = _publish(yards.plain, house, grave)
        with running(house.worker(watch=_hold(born_ms))) as raised:
            house.wait_until_through()
        assert raised == []
        seal(yards.plain, grave, born_ms, worst_ms(LATE_S * 1000, _TIMES))
        grave.done.wait()


def replayed(yards: Yards, grave: Grave) -> None:
    """Relayed at once, and replayed at the last moment: old and new records share a segment."""
    with _house(yards.plain) as house:
        scene = Scene(house, now_ms() - 1_000)
        born_ms = _publish(yards.plain, house, grave)
        scene.relay()
        outcome = scene.replay(again=True, watch=_hold(born_ms)).execute()
        assert outcome.tally.views[house.handled].out == 1, "the replay came too late"
        seal(yards.plain, grave, born_ms, worst_ms(LATE_S * 1000, _TIMES))
        grave.done.wait()


def _publish(yard: Yard, house: RelayFixture, grave: Grave) -> int:
    """Publish the event, and watch for its handle; the event's broker time."""
    device = f"synthetic-device-{grave.kind}-{grave.round}"
    house.publish([house.ping(1, device=device)], partition=0)
    (message,) = records(house.cluster, house.raw_topic)
    born_ms = message.timestamp()[1]
    purpose = house.contract.purposes[f"probe-{house.source}"]
    grave.canary = house.keyring.subkeys_at(purpose, born_ms).handle_maker("device")(device.encode())
    grave.topic = house.handled
    yard.dig(grave)
    return born_ms


def _hold(born_ms: int) -> Watch:
    def watch(step: Step) -> None:
        if step is Step.BEGUN:
            time.sleep(max(0.0, born_ms / 1000 + LATE_S - time.time()))

    return watch


@contextmanager
def _house(yard: Yard) -> Iterator[RelayFixture]:
    """A contract of its own whose handled topic has the yard's timings, and records that keep coming."""
    with tempfile.TemporaryDirectory(prefix="tomb-") as folder:
        house = build(Path(folder), yard.kafka.cluster, late=f"{LATE_S}s", partitions=1)
        yard.alter(
            house.handled,
            retention_ms=str(RETENTION_MS),
            segment_ms=str(SEGMENT_MS),
            file_delete_delay_ms=str(TIMES.delete_delay_ms),
            compression_type="uncompressed",
        )
        with _filling(house):
            yield house


@contextmanager
def _filling(house: RelayFixture) -> Iterator[None]:
    over = threading.Event()
    producer = house.cluster.producer(**{"linger.ms": 0})

    def fill() -> None:
        while not over.wait(_BEAT_S):
            for number in range(2):
                producer.produce(house.handled, b"filler", partition=number, timestamp=now_ms())
            producer.poll(0)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
