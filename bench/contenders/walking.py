"""pyperf's own script: the walk of each case, the walk that keeps nothing, and fastavro's decode, one event a loop.

Started by `bench.walk`, in the interpreter that is to be measured. Times are CPU times of the process, which other
processes disturb less than a clock on the wall.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import fastavro
import pyperf

sys.path.append(str(Path(__file__).resolve().parents[2]))  # last: `pipelines` is the installed one, `bench` is here

from bench import actions
from bench.job import ROOT, job_of, job_of_shape
from bench.shapes import Shape
from pipelines.contract import load
from pipelines.contract.model import Event
from pipelines.minimize import Handler, compile_event

POOL, LOOPS = 20, 300
TEXTS = (24, 1_000, 10_000, 100_000)


@cache
def _case(kind: str, name: str) -> tuple[Event, list[bytes]]:
    """The event type and its raw events; made in the process that measures it, and there alone."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "event":
            job = job_of(ROOT, name, 6, pool=POOL)
            return job.event, [value for _, value in job.pool]
        if kind == "dropped":
            job = job_of_shape(Path(folder, "contract"), Shape(user_agent=int(name)), pool=POOL)
            return job.event, [value for _, value in job.pool]
        contract = load(actions.write(Path(folder)), as_of=datetime.now(UTC).date()).contract
        if contract is None:
            raise SystemExit("the contract of the actions cannot be built")
        event = contract.events[f"bench.{name}"]
        return event, actions.pool(name, b"\xc3\x01" + event.versions[-1].fingerprint, POOL)


def _walk(kind: str, name: str, loops: int, *, keep: bool) -> float:
    event, values = _case(kind, name)
    event = event if keep else replace(event, views=())
    handlers: list[Handler | None] = [lambda _: bytes(16)] * len(event.views)
    minimize = compile_event(event).minimize
    broker_ms = int(time.time() * 1000)
    started = time.process_time()
    for _ in range(loops):
        for value in values:
            minimize(value, handlers, broker_ms)
    return time.process_time() - started


def _decode(kind: str, name: str, loops: int) -> float:
    event, values = _case(kind, name)
    schema = fastavro.parse_schema(json.loads(event.versions[-1].text))
    bodies = [value[10:] for value in values]
    read, open_ = fastavro.schemaless_reader, io.BytesIO
    started = time.process_time()
    for _ in range(loops):
        for body in bodies:
            read(open_(body), schema, None)
    return time.process_time() - started


def main() -> None:
    """Register all benchmarks; pyperf runs each in processes of its own."""
    runner = pyperf.Runner(values=5, warmups=1, loops=LOOPS)
    files = sorted((ROOT / "policies").glob("*/*.yaml"))
    events = [f"{file.parent.name}.{file.stem}" for file in files if not file.stem.endswith(".cases")]
    cases = [("event", name) for name in events] + [("action", name) for name in actions.CASES]
    cases += [("dropped", str(length)) for length in TEXTS]
    for kind, name in cases:
        measures: dict[str, Callable[[int], float]] = {
            "walk": partial(_walk, kind, name, keep=True),
            "pass": partial(_walk, kind, name, keep=False),
            "decode": partial(_decode, kind, name),
        }
        for measure, run in measures.items():
            runner.bench_time_func(f"{kind} {name} {measure}", run, inner_loops=POOL)


if __name__ == "__main__":
    main()
