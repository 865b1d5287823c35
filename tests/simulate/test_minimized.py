"""Simulated events meet the minimizer: what is meant to be valid is, what is meant to be faulty is."""

from collections import Counter

import pytest

from pipelines.contract.model import Contract
from pipelines.minimize import Fault, compile_event
from pipelines.simulate import Simulation, find
from pipelines.simulate.faults import Encoder

pytestmark = pytest.mark.slow

START_MS = 1_795_392_000_000  # 2026-11-23T00:00Z


def test_events_meet_the_fate_that_they_were_made_for_and_no_canary_gets_out(shipped: Contract) -> None:
    programs = {name: compile_event(event) for name, event in shipped.events.items()}
    encoders = {(name, raw.version): Encoder(raw) for name, event in shipped.events.items() for raw in event.versions}
    fates: Counter[str | None] = Counter()
    minimized: Counter[str] = Counter()
    codes: set[str] = set()
    for event in Simulation(shipped, seed=21, devices=300, faults=0.15).events(6000, start_ms=START_MS):
        program = programs[event.event]
        value = event.value or encoders[event.event, event.version](event.fields)
        result = program.minimize(value, [lambda _: b"\xee" * 16] * len(program.views), START_MS)
        fates[event.fault] += 1
        if event.fault == "structural":
            assert isinstance(result, Fault)
            continue
        assert not isinstance(result, Fault), result
        faults = [outcome for outcome in result if isinstance(outcome, Fault)]
        codes.update(fault.code for fault in faults)
        assert bool(faults) == (event.fault == "bound"), (event.event, faults)
        for view, outcome in zip(program.views, result, strict=True):
            if outcome is not None and not isinstance(outcome, Fault):
                minimized[f"{view.topic} {view.event}"] += 1
                assert find(outcome.value) is None
    assert min(fates.values()) > 300
    assert len(codes) >= 4
    assert len(minimized) == sum(len(program.views) for program in programs.values())
