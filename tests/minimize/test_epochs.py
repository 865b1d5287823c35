"""Linkage across epochs against the real minimizer and real handles: two epochs of a small fleet, and a matcher.

Every device sends one event of each type in each epoch, at any moment, with the same fields and a clock that stays as
wrong as it is. The matcher reads all topics of the purpose, knows when each record arrived, and puts handles of both
epochs together that the same devices can have.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from itertools import product
from random import Random
from typing import Any

import fastavro
import pytest

from pipelines.contract.actions import Handle, Truncate
from pipelines.contract.avro import Field, Fixed, Nullable, Primitive, Record
from pipelines.contract.linkage.epochs import Across, across
from pipelines.contract.model import DAY_MS, HOUR_MS, MINUTE_MS, Event, OutputField, Rule, View
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
CLOCK = "clock"
MOMENTS = 4  # the steps of the tested clocks (ms) divide it, so these moments stand for all
Event_ = tuple[int, Mapping[str, Any]]
"""An event without the device's identifier: its raw schema's version, and its fields; a clock as ms from arrival."""
Sent = Sequence[Event_]
Fleet = Mapping[bytes, Sent]
"""What each device sends in every epoch: one event of each type."""
Said = tuple[tuple[int, object], ...]
"""Of each event type the moment at which a handle's event arrived, and what all views made of it."""


@dataclass(frozen=True, slots=True)
class Type:
    """An event type, its compiled program, and events to draw from, one of each kind."""

    event: Event
    program: EventProgram
    data: Sent

    @property
    def clocked(self) -> bool:
        """Whether its events have a time of the device's clock."""
        return self.event.versions[0].record.field(CLOCK) is not None


def test_no_matcher_finds_more_devices_again_than_the_figure_allows() -> None:
    tried, tight, compared = seeds(600), 0, 0
    expected, right = dict.fromkeys((False, True), 0), dict.fromkeys((False, True), 0)
    for seed in tried:
        rng = Random(seed)
        types = [one for one in (_type(rng) for _ in range(rng.choice((1, 2)))) if one is not None]
        figure = _figure(types)
        if figure is None:
            continue
        fleet, clocked = _fleet(rng, types), any(one.clocked for one in types)
        one, other = (_epoch(types, fleet, _makers(seed, day), day, rng) for day in (0, 1))
        assert one.keys().isdisjoint(other), "rotation gives every device another handle"
        kinds = len({tuple(map(repr, sent)) for sent in fleet.values()})
        assert kinds <= figure.count, (
            f"seed {seed}: {kinds} devices are of different kinds, {figure.count} were counted"
        )
        compared += kinds > 1
        tight += kinds == figure.count > 1
        expected[clocked] += kinds
        right[clocked] += _found(_candidates(types, fleet, one), _candidates(types, fleet, other), fleet, seed)
    assert compared > len(tried) // 2
    assert tight > len(tried) // 4, "the figure is far from what happens, so it shows little"
    assert right[False] == pytest.approx(expected[False], rel=0.1), "a matcher by fields alone is right once a kind"
    assert expected[True] / 16 < right[True] <= expected[True], "each record of a clock tells an interval of one step"


def test_more_devices_with_wrong_clocks_are_found_than_their_time_has_steps() -> None:
    """241 devices whose errors are 36 minutes apart send at any moment: more than the 146 steps are found."""
    clock = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
    schema = raw([{"name": "device", "type": "string", "class": "device_identifier"}, clock])
    made = view("device: handle\nat: {truncate: {to: 1h, within: 72h}}", schema)[0].view
    assert made is not None
    event = Event("made.up", (schema,), (made,), ())
    program, (figure,) = compile_event(event), across([(event.name, (schema,), [made])], {made.topic: HOUR_MS})
    layout = fastavro.parse_schema(json.loads(made.schema))
    fleet = {b"device-%03d" % at: at * 36 * MINUTE_MS - 72 * HOUR_MS for at in range(241)}
    rng, times, right = Random(1), 20, 0

    def begins(value: bytes, broker_ms: int) -> float:
        """Where the interval begins in which the clock's error lies."""
        at = fastavro.schemaless_reader(BytesIO(value[10:]), layout, None)["at"]
        return math.inf if at is None else at.timestamp() * 1_000 - broker_ms

    for day in range(times):
        found: list[list[bytes]] = []
        for epoch in (day, day + 1):
            maker, seen = _makers(0, epoch), []
            for device, error_ms in fleet.items():
                broker_ms = BROKER_MS + epoch * DAY_MS + rng.randrange(DAY_MS)
                sent = Speller(rng).event(
                    schema.record, {"device": device, "at": broker_ms + error_ms}, schema.fingerprint
                )
                outcome = program.minimize(sent, [maker], broker_ms)
                assert not isinstance(outcome, Fault)
                (record,) = outcome
                assert isinstance(record, Minimized)
                seen.append((begins(record.value, broker_ms), maker(device)))
            found.append([handle for _, handle in sorted(seen)])
        then = {_makers(0, day)(device): _makers(0, day + 1)(device) for device in fleet}
        right += sum(then[mine] == theirs for mine, theirs in zip(*found, strict=True))
    assert 146 < right / times <= figure.count


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
        one, other = (_epoch(types, fleet, _makers(0, at), at, Random(at)) for at in (day, day + 1))
        assert one.keys().isdisjoint(other)
        right += _found(_candidates(types, fleet, one), _candidates(types, fleet, other), fleet, 0, day)
    assert right / times == pytest.approx(figure.count, rel=0.15)


def _figure(types: Sequence[Type]) -> Across | None:
    late_ms = {view.topic: HOUR_MS for one in types for view in one.event.views}
    named = ((f"made.up-{at}", one.event.versions, one.event.views) for at, one in enumerate(types))
    return next(iter(across(named, late_ms)), None)


def _type(rng: Random) -> Type | None:
    """A random event type with one to three views of the purpose, the handle in one of them or in several.

    Every other one has a clock, which one view tells or several, in steps of a few milliseconds.
    """
    event = rng.choice((tiny_event, joint_event))(rng)
    clocked = rng.randrange(2) == 1
    versions = tuple(raw_schema(one.version, _with_device(one.record, clocked=clocked)) for one in event.versions)
    wanted = [hops_of(rule) for view in event.views for rule in view.rules]
    times = {view.topic: Truncate(*rng.choice(((2, 2), (2, 4), (4, 4)))) for view in event.views if clocked}
    errors = range(-9, 10) if clocked else (0,)
    data = []
    for at, version in enumerate(event.versions):
        for datum in every(version.record, wanted):
            data += [(at, {**datum, CLOCK: error_ms}) for error_ms in errors]
            if len(data) > 500:
                return None
    told = {topic for topic in times if rng.randrange(3)} or {*times}
    handled = rng.randrange(1, len(event.views) + 1)
    views = [_with_clock(view, times[view.topic]) if view.topic in told else view for view in event.views]
    views = [_with_handle(view) if at < handled else view for at, view in enumerate(views)]
    event = replace(event, versions=versions, views=tuple(views))
    one = Type(event, compile_event(event), ())
    moments = range(MOMENTS if clocked else 1)
    kinds = {tuple(_at(one, b"any device", sent, lambda _: bytes(16), at) for at in moments): sent for sent in data}
    kept = [sent for records, sent in kinds.items() if any(map(any, records))]
    return replace(one, data=kept) if kept else None


def _with_device(record: Record, *, clocked: bool) -> Record:
    clock = [Field(CLOCK, Primitive("long", "timestamp-millis"), HERE)] if clocked else []
    return Record(record.name, (*record.fields, Field("device", Primitive("string"), HERE), *clock))


def _with_clock(view: View, time: Truncate) -> View:
    rule = Rule(Path.parse(CLOCK), time, CLOCK, HERE)
    output = OutputField(CLOCK, Nullable(Primitive("long", "timestamp-millis"), 0), rule)
    return replace(view, rules=(*view.rules, rule), output=(*view.output, output))


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


def _epoch(types: Sequence[Type], fleet: Fleet, maker: HandleMaker, day: int, rng: Random) -> dict[bytes, Said]:
    """What the purpose's topics say of each handle in an epoch besides the handle, and when each event arrived."""
    said: dict[bytes, Said] = {}
    for device, sent in fleet.items():
        moments = [day * DAY_MS + rng.randrange(MOMENTS) for _ in types]
        said[maker(device)] = tuple(
            (moment, _at(one, device, event, maker, moment))
            for one, event, moment in zip(types, sent, moments, strict=True)
        )
    assert len(said) == len(fleet)
    return said


def _at(one: Type, device: bytes, sent: Event_, maker: HandleMaker, moment: int) -> tuple[bytes | None, ...]:
    """What each view says of an event that arrives at a moment, besides the handle; None where it has no record."""
    version, broker_ms = one.event.versions[sent[0]], BROKER_MS + moment
    fields = {**sent[1], "device": device, CLOCK: broker_ms + sent[1].get(CLOCK, 0)}
    value = Speller(Random(0)).event(version.record, fields, version.fingerprint)
    outcome = one.program.minimize(value, [maker] * len(one.event.views), broker_ms)
    assert not isinstance(outcome, Fault)
    made = [each if isinstance(each, Minimized) else None for each in outcome]
    assert {each.key for each in made if each is not None} <= {maker(device), None}
    return tuple(None if each is None else each.value.replace(maker(device), b"") for each in made)


def _candidates(types: Sequence[Type], fleet: Fleet, epoch: Mapping[bytes, Said]) -> dict[bytes, tuple[int, ...]]:
    """Which kinds of devices can be behind each handle, by what is said of it and when."""
    kinds = list({tuple(map(repr, sent)): sent for sent in fleet.values()}.values())

    @cache
    def saying(number: int, kind: int, moment: int) -> object:
        return _at(types[number], b"any device", kinds[kind][number], lambda _: bytes(16), moment)

    return {
        handle: tuple(
            kind
            for kind in range(len(kinds))
            if all(saying(number, kind, moment) == records for number, (moment, records) in enumerate(said))
        )
        for handle, said in epoch.items()
    }


def _found(
    one: Mapping[bytes, tuple[int, ...]],
    other: Mapping[bytes, tuple[int, ...]],
    fleet: Iterable[bytes],
    seed: int,
    day: int = 0,
) -> int:
    """How many devices are put together rightly if handles are assigned in the order of what can be behind them."""
    then = {_makers(seed, day)(device): _makers(seed, day + 1)(device) for device in fleet}
    sides = (sorted(epoch, key=lambda handle: (epoch[handle], handle)) for epoch in (one, other))
    return sum(then[mine] == theirs for mine, theirs in zip(*sides, strict=True))
