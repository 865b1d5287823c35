"""What all contenders do: read the same raw events of one event type, write each view's records with all headers.

The main job is `vpn.session` of the contract that ships with the project, reduced to its first views. Each run writes
to topics of its own, so nothing has to be deleted in between; the raw topic is published once and read by all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.keys import OneRoot
from bench.shapes import Shape
from pipelines.broker import Cluster, NewTopic
from pipelines.contract import load
from pipelines.contract.model import Contract, Event, View
from pipelines.minimize import Handler, Minimized, compile_event
from pipelines.sdk.encoding import encoders
from pipelines.simulate import Simulation

ROOT = Path(__file__).resolve().parents[1]
POOL = 2_000
_64_BITS = (1 << 64) - 1
_EVENT_ID_AT = slice(11, 19)  # within the value: after the single object's header and the length of a 36-byte text
_DEVICE_AT = slice(54, 90)  # of an event made for measuring: after the id's 37 bytes, a time's 6 and a length's 1


@dataclass(frozen=True, slots=True)
class Job:
    """One event type of a contract, and its raw events.

    `pool` are the distinct events, (key, value); event number n is the n-th of them, again and again, with its number
    in its event id. Where there are more `devices` than distinct events, the number says which device sent it, too.
    """

    folder: Path
    contract: Contract
    event: Event
    pool: tuple[tuple[bytes, bytes], ...]
    keys: OneRoot
    devices: int = 0

    def events(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """The key and the value of each raw event."""
        for number in range(count):
            key, value = self.pool[number % len(self.pool)]
            value = value[: _EVENT_ID_AT.start] + b"%08d" % number + value[_EVENT_ID_AT.stop :]
            if self.devices > len(self.pool):
                key = b"synthetic-device-%019d" % (_scattered(number) * self.devices >> 32)
                value = value[: _DEVICE_AT.start] + key + value[_DEVICE_AT.stop :]
            yield key, value

    def identifier(self, value: bytes, pooled: bytes) -> bytes:
        """The device of a raw value; `pooled` is that of the distinct event which it was made from."""
        return value[_DEVICE_AT] if self.devices > len(self.pool) else pooled

    def topics(self, run: str) -> dict[str, View]:
        """The views by the topics that a run writes them to."""
        return {f"{run}.{view.purpose}": view for view in self.event.views}


def _scattered(number: int) -> int:
    """32 bits that look drawn: SplitMix64's first steps."""
    mixed = number * 0x9E3779B97F4A7C15 & _64_BITS
    return ((mixed ^ mixed >> 31) * 0xBF58476D1CE4E5B9 & _64_BITS) >> 32


def job_of_shape(folder: Path, shape: Shape, *, pool: int = POOL) -> Job:
    """The job of an event type made for measuring; its contract is written to the folder."""
    contract = contract_for(shape.write(folder), shape.event, shape.views)
    event = contract.events[shape.event]
    header = b"\xc3\x01" + event.versions[-1].fingerprint
    return Job(folder, contract, event, tuple(shape.pool(pool, header)), OneRoot("bench"), shape.devices)


def number_of(value: bytes) -> int:
    """Which raw event a raw value is."""
    return int(value[_EVENT_ID_AT])


def job_of(folder: Path, event_name: str, views: int, *, devices: int = 5_000, pool: int = POOL) -> Job:
    """The job of a contract's event type, with its first so many views."""
    contract = contract_for(folder, event_name, views)
    event = contract.events[event_name]
    return Job(folder, contract, event, tuple(_pool(contract, event, devices, pool)), OneRoot("bench"))


def contract_for(folder: Path, event_name: str, views: int, run: str | None = None) -> Contract:
    """The contract with that event type alone, and its first views; those of a run write to topics of its own.

    Its reviews need not be signed: what is measured is not what was reviewed.
    """
    contract = load(folder, as_of=datetime.now(UTC).date()).contract
    if contract is None:
        raise SystemExit(f"the contract in {folder} cannot be built: `pipelines validate` says why")
    event = contract.events[event_name]
    event = replace(event, views=event.views[:views])
    if run is not None:
        event = replace(event, views=tuple(replace(view, topic=f"{run}.{view.purpose}") for view in event.views))
    by_purpose = {topic.purpose: topic for topic in contract.topics.values()}
    topics = {view.topic: replace(by_purpose[view.purpose], name=view.topic) for view in event.views}
    return replace(contract, events={event_name: event}, topics=topics)


def _pool(contract: Contract, event: Event, devices: int, wanted: int) -> Iterator[tuple[bytes, bytes]]:
    """Simulated events of the newest version that every view accepts."""
    program, version = compile_event(event), event.versions[-1].version
    handlers: list[Handler | None] = [lambda _: bytes(16)] * len(event.views)
    encoder = encoders(event)[version]
    made = 0
    for one in Simulation(contract, only=[event.name], devices=devices).events(
        20 * wanted, start_ms=int(time.time()) // 3600 * 3_600_000
    ):
        if one.version != version:
            continue
        value = encoder.encode(one.fields)
        outcomes = program.minimize(value, handlers, int(time.time() * 1000))
        if isinstance(outcomes, list) and all(isinstance(outcome, Minimized) for outcome in outcomes):
            yield encoder.key(one.fields) or b"", value
            made += 1
            if made == wanted:
                return
    raise SystemExit(f"only {made} of {wanted} simulated events are accepted by every view")


def publish(job: Job, cluster: Cluster, topic: str, count: int, partitions: int) -> None:
    """Make the raw topic, and fill it."""
    make_topics(cluster, [topic], partitions, raw=True)
    make_topics(cluster, [job.contract.quarantine.name], 1)  # stays empty; a worker wants it there
    producer = cluster.producer(**{"linger.ms": 20, "queue.buffering.max.messages": 200_000})
    for key, value in job.events(count):
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(60):
        raise SystemExit("the raw events cannot be published")


def make_topics(cluster: Cluster, names: list[str], partitions: int, *, raw: bool = False) -> None:
    """Topics with the timestamp type that the pipeline wants."""
    kind = "LogAppendTime" if raw else "CreateTime"
    settings = {"message.timestamp.type": kind, "retention.ms": "86400000", "cleanup.policy": "delete"}
    cluster.admin().create([NewTopic(name, partitions, 1, settings) for name in names])
