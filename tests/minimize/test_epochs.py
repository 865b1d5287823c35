"""Linkage across epochs against the real minimizer and real handles: two epochs of a small fleet, and a matcher.

Every device sends one event of each type in each epoch, with the same fields. The matcher reads all topics of the
purpose and puts handles of both epochs together whose records say the same.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Any

import pytest

from pipelines.contract.actions import Handle
from pipelines.contract.avro import Field, Fixed, Primitive, Record
from pipelines.contract.linkage.epochs import Across, across
from pipelines.contract.model import DAY_MS, HOUR_MS, Event, OutputField, Rule, View
from pipelines.contract.path import Path
from pipelines.keys import HandleMaker
from pipelines.keys.epochs import RootId
from pipelines.keys.subkeys import Subkeys
from pipelines.minimize import EventProgram, Fault, Minimized, compile_event
from tests.contract.parts import raw, view
from tests.minimize.events import BROKER_MS, HERE, raw_schema
from tests.minimize.exhaust import every, hops_of, joint_event, seeds, tiny_event
from tests.support.random_data import Speller

pytestmark = [pytest.mark.slow, pytest.mark.scaled]

PURPOSE = "support"
DEVICE = Rule(Path.parse("device"), Handle(), "device", HERE)
Sent = Sequence[tuple[int, Mapping[str, Any]]]
"""Events without the device's identifier: which version of the raw schema, and the fields."""
Fleet = Mapping[bytes, Sent]
"""What each device sends in every epoch: one event of each type."""


@dataclass(frozen=True, slots=True)
class Type:
    """An event type, its compiled program, and events to draw from."""

    event: Event
    program: EventProgram
    data: Sent


def test_no_matcher_finds_more_devices_again_than_the_figure_allows() -> None:
    tried, expected, right, tight, compared = seeds(600), 0, 0, 0, 0
    for seed in tried:
        rng = Random(seed)
        types = [one for one in (_type(rng) for _ in range(rng.choice((1, 2)))) if one is not None]
        figure = _figure(types)
        if figure is None:
            continue
        fleet = _fleet(rng, types)
        one, other = (_epoch(types, fleet, _makers(seed, day)) for day in (0, 1))
        assert one.keys().isdisjoint(other), "rotation gives every device another handle"
        kinds = len(set(one.values()))
        assert kinds <= figure.count, f"seed {seed}: {kinds} devices are found, {figure.count} were counted"
        compared += kinds > 1
        tight += kinds == figure.count > 1
        expected += kinds
        right += _found(one, other, fleet, seed)
    assert compared > len(tried) // 2
    assert tight > len(tried) // 4, "the figure is far from what happens, so it shows little"
    assert right == pytest.approx(expected, rel=0.1), "a matcher by fields alone is right once for each kind"


def test_as_many_devices_are_found_again_as_the_figure_says_although_every_handle_changed() -> None:
    """A fleet of 60 devices whose two event types make six kinds: six are found, epoch after epoch, on average."""
    device = {"name": "device", "type": "string", "class": "device_identifier"}
    model = {"name": "model", "type": {"type": "enum", "name": "Model", "symbols": ["A", "B", "C"]}}
    schemas = raw([device, model]), raw([device, {"name": "managed", "type": "boolean"}])
    views = [
        view(f"device: handle\n{rule}", schema)[0].view
        for schema, rule in zip(schemas, ("model: keep", "managed: keep"), strict=True)
    ]
    events = [
        Event(f"made.up-{at}", (schema,), (one,), ())
        for at, (schema, one) in enumerate(zip(schemas, views, strict=True))
        if one is not None
    ]
    types = [Type(event, compile_event(event), ()) for event in events]
    figure = _figure(types)
    assert figure is not None
    assert (figure.count, figure.whole_bits) == (6, 3)
    fleet: Fleet = {b"device-%02d" % at: [(0, {"model": at % 3}), (0, {"managed": at % 2 == 1})] for at in range(60)}
    times = 200
    right = 0
    for day in range(times):
        one, other = (_epoch(types, fleet, _makers(0, at)) for at in (day, day + 1))
        assert one.keys().isdisjoint(other)
        right += _found(one, other, fleet, 0, day)
    assert right / times == pytest.approx(figure.count, rel=0.15)


def _figure(types: Sequence[Type]) -> Across | None:
    late_ms = {view.topic: HOUR_MS for one in types for view in one.event.views}
    named = ((f"made.up-{at}", one.event.versions, one.event.views) for at, one in enumerate(types))
    return next(iter(across(named, late_ms)), None)


def _type(rng: Random) -> Type | None:
    """A random event type with one to three views of the purpose, the handle in one of them or in several."""
    event = rng.choice((tiny_event, joint_event))(rng)
    versions = tuple(raw_schema(version.version, _with_device(version.record)) for version in event.versions)
    wanted = [hops_of(rule) for view in event.views for rule in view.rules]
    data = []
    for at, version in enumerate(event.versions):
        for datum in every(version.record, wanted):
            data.append((at, datum))
            if len(data) > 500:
                return None
    handled = rng.randrange(1, len(event.views) + 1)
    views = tuple(_with_handle(view) if at < handled else view for at, view in enumerate(event.views))
    event = replace(event, versions=versions, views=views)
    one = Type(event, compile_event(event), ())
    kinds = {_records(one, b"any device", sent, lambda _: bytes(16)): sent for sent in data}
    kept = [sent for records, sent in kinds.items() if any(records)]
    return replace(one, data=kept) if kept else None


def _with_device(record: Record) -> Record:
    return Record(record.name, (*record.fields, Field("device", Primitive("string"), HERE)))


def _with_handle(view: View) -> View:
    output = OutputField("device", Fixed("Handle", 16), DEVICE)
    return replace(view, rules=(*view.rules, DEVICE), output=(*view.output, output))


def _fleet(rng: Random, types: Sequence[Type]) -> Fleet:
    """Up to 200 devices, no two of one kind where there are as many kinds, and a few more of any kind."""
    kinds = list(product(*(one.data for one in types)))
    sent = [*rng.sample(kinds, min(len(kinds), 200)), *rng.choices(kinds, k=rng.randrange(10))]
    return {b"device-%03d" % at: one for at, one in enumerate(sent)}


def _makers(seed: int, day: int) -> HandleMaker:
    root = hashlib.sha256(f"root of {seed} for {day}".encode()).digest()
    return Subkeys(RootId(PURPOSE, DAY_MS, day * DAY_MS), root).handle_maker("device")


def _epoch(types: Sequence[Type], fleet: Fleet, maker: HandleMaker) -> dict[bytes, tuple[object, ...]]:
    """What the purpose's topics say of each handle in an epoch, besides the handle."""
    said: dict[bytes, tuple[object, ...]] = {}
    for device, sent in fleet.items():
        said[maker(device)] = tuple(_records(one, device, event, maker) for one, event in zip(types, sent, strict=True))
    assert len(said) == len(fleet)
    return said


def _records(one: Type, device: bytes, sent: tuple[int, Mapping[str, Any]], maker: HandleMaker) -> tuple[object, ...]:
    """What each view says of an event besides the handle; None where it has no record."""
    version = one.event.versions[sent[0]]
    value = Speller(Random(0)).event(version.record, {**sent[1], "device": device}, version.fingerprint)
    outcome = one.program.minimize(value, [maker] * len(one.event.views), BROKER_MS)
    assert not isinstance(outcome, Fault)
    made = [each if isinstance(each, Minimized) else None for each in outcome]
    assert {each.key for each in made if each is not None} <= {maker(device), None}
    return tuple(None if each is None else each.value.replace(maker(device), b"") for each in made)


def _found(
    one: Mapping[bytes, object],
    other: Mapping[bytes, object],
    fleet: Iterable[bytes],
    seed: int,
    day: int = 0,
) -> int:
    """How many devices are put together rightly if handles with equal records are assigned in their sorted order."""
    then = {_makers(seed, day)(device): _makers(seed, day + 1)(device) for device in fleet}
    by_records: dict[object, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
    for side, epoch in enumerate((one, other)):
        for handle, records in epoch.items():
            by_records[records][side].append(handle)
    return sum(
        then[mine] == theirs
        for sides in by_records.values()
        for mine, theirs in zip(sorted(sides[0]), sorted(sides[1]), strict=True)
    )
