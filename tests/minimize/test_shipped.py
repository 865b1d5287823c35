"""The nine event types of the shipped contract, in every version: proper, cut and corrupted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipelines.contract import load
from pipelines.contract.model import Contract
from pipelines.minimize import Fault, Minimized, compile_event
from pipelines.minimize.reference import decode, minimize_event
from pipelines.simulate import Simulation
from tests.minimize.corruption import every_corruption, every_truncation
from tests.minimize.events import BROKER_MS
from tests.minimize.properties import assert_within_bounds, handler, without_logical_types

pytestmark = [pytest.mark.slow, pytest.mark.scaled]

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 3_000


@cache
def shipped() -> Contract:
    contract = load(ROOT, as_of=date(2026, 11, 30)).contract
    assert contract is not None, "`pipelines validate` says why"
    return contract


def plain_schema(text: str) -> Any:
    return fastavro.parse_schema(without_logical_types(json.loads(text)))


@cache
def simulated() -> dict[tuple[str, int], list[bytes]]:
    """Proper events of each type and version, as a producer would write them."""
    schemas: dict[tuple[str, int], tuple[Any, bytes]] = {
        (event.name, version.version): (plain_schema(version.text), version.fingerprint)
        for event in shipped().events.values()
        for version in event.versions
    }
    values: dict[tuple[str, int], list[bytes]] = {key: [] for key in schemas}
    for made in Simulation(shipped(), seed=3).events(EVENTS, start_ms=1_790_000_000_000):
        schema, fingerprint = schemas[made.event, made.version]
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, made.fields)
        values[made.event, made.version].append(b"\xc3\x01" + fingerprint + body.getvalue())
    return values


def versions() -> list[tuple[str, int]]:
    return [(event.name, version.version) for event in shipped().events.values() for version in event.versions]


@cache
def richest(name: str, version: int) -> bytes:
    """A short event in which as many of its schema's fields as ever are neither null nor in an empty array."""
    event = shipped().events[name]
    values = simulated()[name, version][:500]
    return max(values, key=lambda value: (len(set(filled(decode(event, value)))), -len(value)))


def filled(datum: Any, path: str = "") -> Iterator[str]:
    if isinstance(datum, dict):
        for name, value in datum.items():
            yield from filled(value, f"{path}.{name}")
    elif isinstance(datum, list):
        for item in datum:
            yield from filled(item, path)
    elif datum is not None:
        yield path


def test_nine_event_types_are_shipped() -> None:
    assert len(shipped().events) == 9
    assert all(simulated()[key] for key in versions())


@pytest.mark.parametrize(("name", "version"), versions())
def test_simulated_events_are_minimized_as_the_reference_says_and_within_bounds(name: str, version: int) -> None:
    event = shipped().events[name]
    program = compile_event(event)
    handlers = [handler(view) for view in range(len(event.views))]
    minimized = 0
    for value in simulated()[name, version][:300]:
        outcome = program.minimize(value, handlers, BROKER_MS)
        assert not isinstance(outcome, Fault)
        assert outcome == minimize_event(event, value, handlers, BROKER_MS)
        for view, got in zip(event.views, outcome, strict=True):
            if isinstance(got, Minimized):
                assert_within_bounds(view, got)
                minimized += 1
    assert minimized > 0


@pytest.mark.parametrize(("name", "version"), versions())
def test_no_truncation_is_minimized(name: str, version: int) -> None:
    for value in (richest(name, version), *simulated()[name, version][:20]):
        assert every_truncation(shipped().events[name], value) > 10


@pytest.mark.parametrize(("name", "version"), versions())
def test_every_corruption_of_a_byte_is_minimized_as_the_reference_says_or_a_code(name: str, version: int) -> None:
    value = richest(name, version)
    tried, accepted = every_corruption(shipped().events[name], value)
    assert tried >= 8 * len(value)
    assert 0 < accepted < tried
