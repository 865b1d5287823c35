"""The order of the demo: stage, play, evidence, checks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from pipelines.broker import Cluster, records
from pipelines.contract import load_valid
from pipelines.contract.model import Contract
from pipelines.demo import gathering, telling
from pipelines.demo.checks import CHECKS, Check, judge
from pipelines.demo.crew import working
from pipelines.demo.evidence import Evidence, Sent
from pipelines.demo.example import choose, most_telling
from pipelines.demo.flow import FlowView, as_numbers
from pipelines.demo.play import send, wait_until_through
from pipelines.demo.stage import Stage, staged
from pipelines.keys import Keyring
from pipelines.relay.audit import read_books
from pipelines.relay.books import Books
from pipelines.simulate import Simulation, Tally
from pipelines.topics.judging import judged
from pipelines.topics.looking import look

_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    folder: Path
    contract_dir: Path
    _: KW_ONLY
    events: int
    devices: int
    workers: int
    seed: int
    faults: float
    keep: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdicts, the same and more for a program; the broker's address, and topics that are worth a look."""

    checks: list[Check]
    document: dict[str, Any]
    bootstrap: str
    topics: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether every check held."""
        return all(check.held for check in self.checks)


@dataclass(frozen=True, slots=True)
class Left:
    """Where a run left what it did: a cluster, and the keys that were used."""

    contract: Contract
    cluster: Cluster
    keyring: Keyring


def run(plan: Plan, console: Console) -> Outcome:
    """Run the demo; shows what it does on the console.

    Raises:
        Trouble: the contract has errors (exit 1), a broker cannot be had (exit 3), or another demo runs (exit 4).
    """
    now_ms = time.time_ns() // 1_000_000
    contract = load_valid(plan.contract_dir, as_of=datetime.now(UTC).date())
    console.print(_what_comes(plan, contract))
    laps = _Laps()
    simulation = Simulation(contract, seed=plan.seed, devices=plan.devices, faults=plan.faults)
    with staged(plan.folder, plan.contract_dir, contract, now_ms, console.print, keep=plan.keep) as stage:
        laps.end("setting up")
        with working(stage, plan.workers) as workers:
            sent, books = _flow(stage, simulation, plan, now_ms, console, laps)
        laps.end("stopping the workers")
        console.print("Reading back every byte that came out.")
        left = Left(stage.contract, stage.cluster, stage.keyring())
        scraped = [gathering.exposed(stage.metrics)]
        evidence = gathered(left, sent, books, workers=workers, logs=stage.logs, scraped=scraped)
        checks = judge(evidence)
        laps.end("reading back and checking")
        if evidence.example is not None:
            console.print()
            console.print(telling.example(evidence.example), soft_wrap=True)
        console.print()
        console.print(telling.verdicts(checks), soft_wrap=True)
    laps.end("clearing up")
    fullest = [topic for topic, _ in evidence.out.records.most_common(1)]
    return Outcome(
        checks, _document(plan, evidence, checks, laps), stage.cluster.bootstrap, (*fullest, contract.quarantine.name)
    )


class _Laps:
    """What took how long, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def end(self, name: str) -> None:
        """A lap ends, and the next begins."""
        now = time.monotonic()
        self.seconds[name] = round(now - self._began, 1)
        self._began = now


def _what_comes(plan: Plan, contract: Contract) -> str:
    return (
        f"This starts a real Kafka on this machine, sends {plan.events:,} synthetic events of {len(contract.events)}"
        f" types through the minimizer's workers, and reads back every byte that came out. Then it says which of"
        f" {len(CHECKS)} promises held; it takes half a minute, and "
        + (f"leaves Kafka running, with all data in {plan.folder}." if plan.keep else "leaves nothing behind.")
    )


def _flow(
    stage: Stage, simulation: Simulation, plan: Plan, now_ms: int, console: Console, laps: _Laps
) -> tuple[Sent, Books]:
    contract, admin = stage.contract, stage.cluster.admin()
    books: Books = {}
    looked_at = time.monotonic()
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def show_sent(number: int) -> None:
        nonlocal looked_at, books
        if live is None:
            return
        if time.monotonic() - looked_at >= _LOOK_EVERY_S:
            books = read_books(contract, admin)
            looked_at = time.monotonic()
        live.update(FlowView(contract, books, f"sending: {number:,} of {plan.events:,}"))

    def show_books(books: Books, left: int) -> None:
        if live is not None:
            live.update(FlowView(contract, books, f"{plan.events:,} sent, {left:,} still on the way"))

    with live or nullcontext():
        sent = send(stage, simulation, plan.events, now_ms, show_sent)
        laps.end("simulating and sending")
        books = wait_until_through(stage, show_books)
        laps.end("waiting for the workers")
    console.print()
    console.print(FlowView(contract, books, "", whole=True))
    return sent, books


def gathered(
    left: Left, sent: Sent, books: Books, *, workers: Sequence[str], logs: Iterable[Path], scraped: Iterable[bytes]
) -> Evidence:
    """Read everything that was left behind, once.

    Args:
        left: where it is.
        sent: what went in.
        books: what the cluster says became of it.
        workers: the slots of those who worked.
        logs: every file that anybody logged to.
        scraped: the metrics of every run of workers.

    Raises:
        Trouble: the cluster does not answer (exit 3).
    """
    contract, cluster, admin = left.contract, left.cluster, left.cluster.admin()
    evidence, tally = Evidence(contract, sent, books, workers=workers), Tally(sent.canaries)
    for event in contract.events.values():
        gathering.gather_raw(event, records(cluster, event.raw_topic), evidence.raw, tally)
    evidence.raw.missing_canaries = tally.missing
    telling_event = most_telling(contract)
    info = admin.topics([telling_event.raw_topic])[telling_event.raw_topic]
    evidence.example = choose(
        contract, telling_event, records(cluster, telling_event.raw_topic), info.topic_id, left.keyring
    )
    for topic in contract.topics:
        gathering.gather_minimized(topic, records(cluster, topic), evidence)
    gathering.gather_quarantine(contract.quarantine.name, records(cluster, contract.quarantine.name), evidence)
    gathering.gather_logs(logs, evidence)
    for one in scraped:
        gathering.gather_metrics(one, evidence)
    evidence.handles = gathering.device_handles(contract, left.keyring, sent.device, evidence.raw)
    live = look(contract, admin)
    evidence.breaches = [str(breach) for breach in judged(contract, live)]
    evidence.judged = len(live.topics)
    return evidence


def _document(plan: Plan, evidence: Evidence, checks: Sequence[Check], laps: _Laps) -> dict[str, Any]:
    return {
        "held": all(check.held for check in checks),
        "checks": [{"check": check.name, "held": check.held, "detail": check.detail} for check in checks],
        "events": plan.events,
        "flow": as_numbers(evidence.books),
        "example": None if evidence.example is None else telling.example_json(evidence.example),
        "laps": laps.seconds,
    }
