"""A simulation: a fleet that lives through a span of time, and the raw events its products would publish.

Deterministic: the same contract, seed and arguments give the same events. Never reads a clock; the caller says when
time begins. Never publishes: that is the command's matter.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Literal

from pipelines.contract.model import Contract, Event
from pipelines.simulate.activity import DAY_MS, Activity, Moment, Play, wakefulness
from pipelines.simulate.draw import Draw
from pipelines.simulate.faults import Encoder, bound_spoilers, spoil_bound, spoil_bytes
from pipelines.simulate.filling import Filler, compile_filler
from pipelines.simulate.fleet import Device, Fleet
from pipelines.simulate.products import ACTIVITIES

Fault = Literal["bound", "structural"]


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One raw event. `fields` hold logical types as they are on the wire (times as numbers, decimals as bytes).

    `fault` says what was done to it on purpose. `value` is set for a structural fault only: the spoilt bytes, to be
    published as they are, keyed by `device`.
    """

    event: str
    version: int
    fields: dict[str, object]
    device: str
    fault: Fault | None = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    """One raw schema, compiled."""

    version: int
    fill: Filler
    encode: Encoder


class Simulation:
    """Synthetic products of a contract.

    Args:
        contract: what is simulated; an event type without a model of its own is filled from its schema and policy.
        seed: everything follows from it.
        devices: how many there are.
        only: the event types to give; all of them when empty.
        faults: the share of events with a fault on purpose, half of them bound faults, half structural.
    """

    def __init__(
        self, contract: Contract, *, seed: int = 1, devices: int = 200, only: Collection[str] = (), faults: float = 0.0
    ) -> None:
        self._seed = seed
        self._faults = faults
        self._fleet = Fleet(devices, seed)
        self._events = {name: event for name, event in contract.events.items() if not only or name in only}
        self._made = {name: _compile(event) for name, event in self._events.items()}
        self._spoilers = {name: bound_spoilers(event) for name, event in self._events.items()}
        self._activities = _activities_for(self._events)
        self._draw = Draw(Random(f"values-{seed}"), self._fleet.devices[0], seed)

    @property
    def canaries_issued(self) -> int:
        """How many numbered canaries the events given so far hold: 0 up to this number, each once."""
        return self._draw.number

    def events(self, count: int, *, start_ms: int, span_ms: int = DAY_MS) -> Iterator[SimulatedEvent]:
        """Give `count` events in the order of their times, which begin at `start_ms` and cover about `span_ms`."""
        rng = Random(f"times-{self._seed}")
        for moment, device in _timeline(rng, self._fleet, self._activities, count, start_ms, span_ms):
            if moment.event not in self._events:
                continue
            if count <= 0:
                return
            count -= 1
            yield self._event(moment, device)

    def _event(self, moment: Moment, device: Device) -> SimulatedEvent:
        draw = self._draw
        draw.device, draw.now_ms = device, moment.at_ms
        draw.event_number += 1
        versions = self._made[moment.event]
        made = versions[min(int(device.progress * len(versions)), len(versions) - 1)]
        fields = made.fill(draw, moment.given)
        if self._faults and draw.random() < self._faults:
            return self._spoilt(moment.event, made, fields)
        return SimulatedEvent(moment.event, made.version, fields, device.id)

    def _spoilt(self, event: str, made: _Made, fields: dict[str, object]) -> SimulatedEvent:
        draw = self._draw
        spoilers = self._spoilers[event]
        if spoilers and draw.random() < 0.5:
            first = int(draw.random() * len(spoilers))
            for path, action in spoilers[first:] + spoilers[:first]:
                if spoil_bound(fields, path, action, draw):
                    return SimulatedEvent(event, made.version, fields, draw.device.id, "bound")
        value = spoil_bytes(made.encode(fields), draw.rng)
        return SimulatedEvent(event, made.version, fields, draw.device.id, "structural", value)


def _compile(event: Event) -> tuple[_Made, ...]:
    return tuple(_Made(raw.version, compile_filler(event, raw), Encoder(raw)) for raw in event.versions)


def _activities_for(events: Collection[str]) -> tuple[Activity, ...]:
    """The products' activities that give any of these events, and a plain one for each event type without a model."""
    modelled = tuple(activity for activity in ACTIVITIES if activity.events & set(events))
    known = frozenset[str]().union(*(activity.events for activity in modelled))
    plain = tuple(
        Activity(frozenset({name}), weight=3, moments=1, play=_plain(name)) for name in sorted(set(events) - known)
    )
    return modelled + plain


def _plain(event: str) -> Play:
    def play(rng: Random, device: Device, start_ms: int) -> Iterator[Moment]:
        del rng, device
        yield Moment(start_ms, event, {})

    return play


def _timeline(
    rng: Random, fleet: Fleet, activities: Sequence[Activity], count: int, start_ms: int, span_ms: int
) -> Iterator[tuple[Moment, Device]]:
    """All moments of all activities in the order of their times, without end.

    Activities begin by a Poisson process thinned by how awake a device's owner is.
    """
    if not activities:
        return
    weights = tuple(accumulate(activity.weight for activity in activities))
    per_activity = sum(activity.weight * activity.moments for activity in activities) / weights[-1]
    pace = 2 * max(count, 1) / per_activity / span_ms
    waiting: list[tuple[int, int, Moment, Device, Iterator[Moment]]] = []
    at_ms, serial = float(start_ms), 0
    while True:
        at_ms += rng.expovariate(pace)
        while waiting and waiting[0][0] <= at_ms:
            _, _, moment, device, rest = heapq.heappop(waiting)
            yield moment, device
            following = next(rest, None)
            if following is not None:
                serial += 1
                heapq.heappush(waiting, (following.at_ms, serial, following, device, rest))
        device = fleet.pick(rng)
        activity = rng.choices(activities, cum_weights=weights)[0]
        awake = wakefulness(device, int(at_ms))
        if rng.random() < (1 - awake if activity.nightly else awake):
            rest = activity.play(rng, device, int(at_ms))
            first = next(rest, None)
            if first is not None:
                serial += 1
                heapq.heappush(waiting, (first.at_ms, serial, first, device, rest))
