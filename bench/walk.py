"""CPU time of minimizing one vpn.session event, beside that of decoding it with fastavro.

python -m bench.walk

Gives the best and the median of many rounds, in µs of this process' CPU an event: ratios hold on a busy machine, the
figures themselves do not. Says whether the walk runs compiled.
"""

from __future__ import annotations

import io
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import fastavro

from pipelines.contract import load
from pipelines.contract.model import Contract, Event
from pipelines.minimize import Handler, Minimized, compile_event, compiled
from pipelines.minimize.reference import minimize_event
from pipelines.simulate import Simulation

ROUNDS, CALLS = 25, 2_000
ROOT = Path(__file__).resolve().parents[1]


def measure(name: str, call: Callable[[], object]) -> None:
    """Print the CPU time of one call."""
    figures = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS):
            call()
        figures.append((time.process_time() - start) / CALLS * 1e6)
    print(f"{name:32} {min(figures):7.2f} best {statistics.median(figures):7.2f} median")  # noqa: T201


def session(contract: Contract, event: Event) -> bytes:
    """A simulated event of the first version that all views accept."""
    raw = event.versions[0]
    writer = fastavro.parse_schema(json.loads(raw.text))
    program = compile_event(event)
    handlers: list[Handler | None] = [lambda _: bytes(16)] * len(event.views)
    for made in Simulation(contract, only=[event.name]).events(500, start_ms=1_790_000_000_000):
        if made.version == raw.version:
            body = io.BytesIO(b"\xc3\x01" + raw.fingerprint)
            body.seek(0, io.SEEK_END)
            fastavro.schemaless_writer(body, writer, made.fields)
            outcomes = program.minimize(body.getvalue(), handlers)
            if isinstance(outcomes, list) and all(isinstance(outcome, Minimized) for outcome in outcomes):
                return body.getvalue()
    raise SystemExit("no simulated event is accepted by all views")


def main() -> None:
    """Measure the walk with no view, one, two …; and what it stands in for."""
    contract = load(ROOT, as_of=date(2026, 11, 23)).contract
    if contract is None:
        raise SystemExit("the contract cannot be built: `pipelines validate` says why")
    event = contract.events["vpn.session"]
    value = session(contract, event)
    handlers: list[Handler | None] = [lambda _: bytes(16)] * len(event.views)
    print(f"{len(value)} bytes; the walk is {'compiled' if compiled() else 'not compiled'}")  # noqa: T201
    for views in range(len(event.views) + 1):
        program = compile_event(replace(event, views=event.views[:views]))
        measure(f"walk, {views} views", partial(program.minimize, value, handlers))
    writer = fastavro.parse_schema(json.loads(event.versions[0].text))
    measure("fastavro decode alone", lambda: fastavro.schemaless_reader(io.BytesIO(value[10:]), writer, None))
    one = replace(event, views=event.views[:1])
    measure("reference, 1 view", lambda: minimize_event(one, value, handlers[:1]))


if __name__ == "__main__":
    main()
