"""The promises of minimizing, each as a function that tries as many random examples as told."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import fastavro
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contract.actions import (
    Bucket,
    Count,
    CountWhere,
    Handle,
    Keep,
    MapTo,
    Matches,
    OneOf,
    Present,
    Truncate,
    Within,
)  # fmt: skip
from pipelines.contract.avro import Enum, Nullable, Primitive, not_null
from pipelines.contract.model import OutputField, View
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.minimize.faults import BOUND_CODES
from pipelines.minimize.reference import bound_faults, minimize_event
from tests.minimize.events import BROKER_MS, random_broker_ms, random_event
from tests.support.disturb import disturb
from tests.support.random_data import UNIT, Speller, random_datum


@dataclass
class Tally:
    """How many of the examples reached what the property is about."""

    name: str
    tried: int = 0
    accepted: int = 0

    @property
    def share(self) -> float:
        return self.accepted / max(1, self.tried)


Handler = Callable[[bytes], bytes]


def handler(view: int) -> Handler:
    return lambda identifier: hashlib.sha256(bytes([view]) + identifier).digest()[:16]


def run(name: str, examples: int, check: Callable[[Random, Tally], None]) -> Tally:
    """Try a check on `examples` seeds; tells how many counted.

    Hypothesis' own source of chance would make smaller examples of a failure, but is a thousand times slower here.
    """
    tally = Tally(name)

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**48 - 1))
    def tried(seed: int) -> None:
        check(Random(seed), tally)

    tried()
    return tally


def check_walk_is_reference(rng: Random, tally: Tally) -> None:
    event = random_event(rng)
    program = compile_event(event)
    handlers = [None if rng.randrange(12) == 0 else handler(view) for view in range(len(event.views))]
    for version in event.versions:
        speller = Speller(rng, odd=rng.randrange(2) == 0, broken=rng.choice((0, 0, 30)))
        value = speller.event(version.record, random_datum(rng, version.record), version.fingerprint)
        broker_ms = random_broker_ms(rng)
        outcome = program.minimize(value, handlers, broker_ms)
        tally.tried += 1
        if isinstance(outcome, Fault):
            assert speller.breaks, "a proper event was rejected"
            assert outcome.structural
            continue
        tally.accepted += 1
        expected = minimize_event(event, value, handlers, broker_ms)
        for view, got, wanted in zip(event.views, outcome, expected, strict=True):
            if isinstance(got, Fault):
                assert isinstance(wanted, Fault)
                assert got in bound_faults(event, view, value)
                assert got.code in BOUND_CODES
            else:
                assert got == wanted


def check_spelling_is_lost(rng: Random, tally: Tally) -> None:
    event = random_event(rng)
    program = compile_event(event)
    handlers = [handler(view) for view in range(len(event.views))]
    for version in event.versions:
        datum = random_datum(rng, version.record)
        plain, odd = (
            Speller(rng, odd=is_odd).event(version.record, datum, version.fingerprint) for is_odd in (False, True)
        )
        broker_ms = random_broker_ms(rng)
        outcome = program.minimize(plain, handlers, broker_ms)
        assert outcome == program.minimize(odd, handlers, broker_ms)
        assert not isinstance(outcome, Fault)
        tally.tried += 1
        tally.accepted += any(isinstance(view, Minimized) for view in outcome)


def check_dropped_values_do_not_show(rng: Random, tally: Tally) -> None:
    event = random_event(rng)
    program = compile_event(event)
    handlers = [handler(view) for view in range(len(event.views))]
    at = rng.randrange(len(event.views))
    version = rng.choice(event.versions)
    datum = random_datum(rng, version.record)
    broker_ms = random_broker_ms(rng)
    other = disturb(rng, event.views[at], version.record, datum)
    said, same = (
        program.minimize(Speller(rng, odd=True).event(version.record, each, version.fingerprint), handlers, broker_ms)
        for each in (datum, other)
    )
    assert not isinstance(said, Fault)
    assert not isinstance(same, Fault)
    tally.tried += 1
    tally.accepted += isinstance(said[at], Minimized)
    if isinstance(said[at], Minimized):
        assert said[at] == same[at]


def check_output_is_within_bounds(rng: Random, tally: Tally) -> None:
    event = random_event(rng)
    program = compile_event(event)
    version = rng.choice(event.versions)
    speller = Speller(rng, odd=True, broken=rng.choice((0, 0, 30)))
    value = speller.event(version.record, random_datum(rng, version.record), version.fingerprint)
    outcome = program.minimize(value, [handler(view) for view in range(len(event.views))], BROKER_MS)
    tally.tried += 1
    if isinstance(outcome, Fault):
        return
    tally.accepted += any(isinstance(view, Minimized) for view in outcome)
    for view, minimized in zip(event.views, outcome, strict=True):
        if isinstance(minimized, Minimized):
            assert_within_bounds(view, minimized)


def assert_within_bounds(view: View, minimized: Minimized) -> None:
    """The bytes are the view's schema's, to the last one, and say what the view's actions may say."""
    assert minimized.value[:10] == b"\xc3\x01" + view.fingerprint
    decoded = _read(json.loads(view.schema), minimized.value)
    numbers = _read(without_logical_types(json.loads(view.schema)), minimized.value)
    assert decoded.keys() == numbers.keys() == {output.name for output in view.output}
    for output in view.output:
        value = numbers[output.name]
        if isinstance(output, OutputField):
            assert_said(output, value, minimized.key)
        elif value is None:
            assert output.nullable
        else:
            assert len(value) <= output.max_items
            for item in value:
                for field in output.fields:
                    assert_said(field, item[field.name], None)
    if not any(isinstance(rule.action, Handle) for rule in view.rules):
        assert minimized.key is None


def _read(schema: Any, value: bytes) -> Any:
    body = io.BytesIO(value[10:])
    datum = fastavro.schemaless_reader(body, fastavro.parse_schema(schema), None)
    assert body.read() == b""
    return datum


def without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: without_logical_types(part) for key, part in schema.items() if key != "logicalType"}
    return [without_logical_types(part) for part in schema] if isinstance(schema, list) else schema


def assert_said(field: OutputField, value: Any, key: bytes | None) -> None:
    if isinstance(field.rule.action, Handle):
        assert value == key
    if value is None:
        assert isinstance(field.type, Nullable)
        return
    match field.rule.action:
        case Keep():
            kind = not_null(field.type)
            assert value in kind.symbols if isinstance(kind, Enum) else isinstance(value, bool)
        case Within(low, high):
            assert low <= value <= high
        case Bucket(edges):
            assert value in edges
        case Truncate(step_ms):
            kind = not_null(field.type)
            assert isinstance(kind, Primitive)
            assert kind.logical == "date" or value % (step_ms * UNIT[kind.logical or ""]) == 0
        case OneOf(values, otherwise):
            assert value in {*values, otherwise}
        case Matches(strings=strings):
            assert value in strings
        case MapTo(pairs, otherwise):
            assert value in {*dict(pairs).values(), otherwise}
        case Count() | CountWhere():
            assert value in {0, 1, 2, 4, 8, 16, 32, 64}
        case Present():
            assert isinstance(value, bool)
        case Handle():
            assert len(value) == 16


PROPERTIES: dict[str, Callable[[Random, Tally], None]] = {
    "the walk gives the reference's bytes": check_walk_is_reference,
    "what a view drops does not show": check_dropped_values_do_not_show,
    "the producer's spelling is lost": check_spelling_is_lost,
    "output decodes and is within bounds": check_output_is_within_bounds,
}
