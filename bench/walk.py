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
from pathlib import Path

import fastavro

from pipelines.contract import load
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


def main() -> None:
    """Measure a session event that all its views accept."""
    contract = load(ROOT, as_of=date(2026, 11, 23)).contract
    if contract is None:
        raise SystemExit("the contract cannot be built: `pipelines validate` says why")
    event = contract.events["vpn.session"]
    raw = event.versions[0]
    writer = fastavro.parse_schema(json.loads(raw.text))
    handlers: list[Handler | None] = [lambda _: bytes(16)] * len(event.views)
    for made in Simulation(contract, only=[event.name]).events(500, start_ms=1_790_000_000_000):
        if made.version != raw.version:
            continue
        body = io.BytesIO()
        fastavro.schemaless_writer(body, writer, made.fields)
        value = b"\xc3\x01" + raw.fingerprint + body.getvalue()
        outcomes = compile_event(event).minimize(value, handlers)
        if isinstance(outcomes, list) and all(isinstance(outcome, Minimized) for outcome in outcomes):
            break
    print(f"{len(value)} bytes; the walk is {'compiled' if compiled() else 'not compiled'}")  # noqa: T201
    for views in range(len(event.views) + 1):
        program = compile_event(replace(event, views=event.views[:views]))
        measure(f"walk, {views} views", lambda program=program: program.minimize(value, handlers))  # type: ignore[misc]
    measure("fastavro decode alone", lambda: fastavro.schemaless_reader(io.BytesIO(body.getvalue()), writer, None))
    one = replace(event, views=event.views[:1])
    measure("reference, 1 view", lambda: minimize_event(one, value, handlers[:1]))


if __name__ == "__main__":
    main()
