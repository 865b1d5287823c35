"""Ours: the relay's own worker, on the walk or (`"reference": true`) on the fastavro reference in its place."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import REGISTRY
from ticking import job, tick

sys.path.append(str(Path(__file__).resolve().parents[2]))  # last: `pipelines` is the installed one, `bench` is here

from bench.job import contract_for
from bench.keys import OneRoot
from pipelines.broker import Cluster
from pipelines.contract.model import Event
from pipelines.minimize import Handler, compiled
from pipelines.minimize.reference import minimize_event
from pipelines.relay.collector import relax
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station
from pipelines.relay.worker import Worker


@dataclass(frozen=True, slots=True)
class RunSettings(WorkerSettings):
    """A worker's settings, in a group of the run's own."""

    run: str = ""

    @property
    def group(self) -> str:
        """The run's group."""
        return self.run


class Reference:
    """The reference in the walk's place."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.views = event.views

    def minimize(self, value: bytes, handlers: Sequence[Handler | None], broker_ms: int) -> Any:
        """Minimize one event, slowly."""
        return minimize_event(self.event, value, handlers, broker_ms)


def main() -> None:
    """Work until standard input ends."""
    wanted = job()
    if wanted["compiled"] != compiled():
        raise SystemExit(f"the walk is {'' if compiled() else 'not '}compiled here")
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    contract = contract_for(Path(wanted["contract"]), wanted["event"], wanted["views"], wanted["run"])
    event = contract.events[wanted["event"]]
    settings = RunSettings(
        source=event.source, instance="bench", slot=wanted.get("slot", 0), contract_dir=Path(wanted["contract"]),
        bootstrap=wanted["bootstrap"], keyring=Path(), kek_file=Path(), run=wanted["run"], **wanted["settings"],
    )  # fmt: skip
    ids = {event.raw_topic: bytes.fromhex(wanted["raw_topic_id"])}
    station = Station(settings, Cluster(wanted["bootstrap"]), structlog.stdlib.get_logger())
    keys = OneRoot("bench")
    worker = Worker(station, contract, keys, ids)  # type: ignore[arg-type]
    if wanted["reference"]:
        for lane in worker._lanes.values():  # noqa: SLF001
            lane.program = Reference(lane.event)  # type: ignore[assignment]

    def events() -> int:
        return int(REGISTRY.get_sample_value("pipelines_events_in_total", {"raw_topic": event.raw_topic}) or 0)

    tick(events, lambda: worker.stop("done"), keys.cache)
    relax()
    worker.run()
    os._exit(0)


if __name__ == "__main__":
    main()
