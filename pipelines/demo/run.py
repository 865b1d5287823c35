"""The order of the demo: stage, play, evidence, checks."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from pipelines.contract import load_valid
from pipelines.demo import checks, view
from pipelines.demo.evidence import Evidence, Example, read_logs_and_metrics, read_minimized, read_raw
from pipelines.demo.play import Sent, send, wait_until_through
from pipelines.demo.stage import Crew, Stage, staged, working
from pipelines.relay.accounting import Books
from pipelines.relay.logs import configure
from pipelines.simulate import Simulation, Tally
from pipelines.topics.live import breaches


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
    """Whether every check held, the same for a program, and where to look around when the stage was kept."""

    held: bool
    document: dict[str, Any]
    look_around: str


def run(plan: Plan, console: Console) -> Outcome:
    """Run the demo; shows what it does on the console.

    Raises:
        Trouble: the contract has errors (exit 1), or a broker cannot be had (exit 3).
    """
    now_ms = int(time.time() * 1000)
    contract = load_valid(plan.contract_dir, as_of=datetime.now(UTC).date())
    simulation = Simulation(contract, seed=plan.seed, devices=plan.devices, faults=plan.faults)
    with staged(plan.folder, plan.contract_dir, contract, now_ms, console.print, keep=plan.keep) as stage:
        with (
            (plan.folder / "supervisor.log").open("w") as log,
            working(stage, Crew(plan.workers, configure("supervisor", log))),
        ):
            sent, books = _flow(stage, simulation, plan, now_ms, console)
        console.print("Reading back every byte that came out …")
        evidence, tally = Evidence(), Tally(simulation.canaries_issued)
        example = _read(stage, evidence, tally)
        found = _checks(stage, sent, books, evidence, tally, example)
        if example is not None:
            console.print(view.example(example))
        console.print(view.verdicts(found))
        document = checks.as_json(
            found,
            {
                "events": plan.events,
                "out": dict(evidence.out),
                "quarantined": evidence.quarantined,
                "example": None if example is None else view.example_json(example),
            },
        )
        look = (
            f"The broker still runs: export PIPELINES_BOOTSTRAP={stage.cluster.bootstrap}, then for example\n"
            f"  pipelines consume network-metadata.security-enforcement --from-beginning --max 3\n"
            f"Workers' logs: {stage.logs}. `pipelines demo` without --keep cleans up."
        )
        return Outcome(all(check.held for check in found), document, look)


def _flow(stage: Stage, simulation: Simulation, plan: Plan, now_ms: int, console: Console) -> tuple[Sent, Books]:
    done = 0
    with Live(console=console, refresh_per_second=4, transient=False) as live:

        def show_sent(number: int) -> None:
            nonlocal done
            done = number
            live.update(view.flow(stage.contract, {}, done, plan.events, None))

        sent = send(stage, simulation, plan.events, now_ms, show_sent)
        books = wait_until_through(
            stage, lambda books, left: live.update(view.flow(stage.contract, books, done, plan.events, left))
        )
    return sent, books


def _read(stage: Stage, evidence: Evidence, tally: Tally) -> Example | None:
    example: Example | None = None
    for event in stage.contract.events.values():
        found = read_raw(stage, event, evidence, tally, event.versions[-1].fingerprint)
        # The one with the most views tells most.
        if found is not None and (example is None or len(event.views) > len(example.event.views)):
            example = found
    read_minimized(stage, evidence, example)
    read_logs_and_metrics(stage, evidence)
    return example


def _checks(
    stage: Stage, sent: Sent, books: Books, evidence: Evidence, tally: Tally, example: Example | None
) -> list[checks.Check]:
    planted = checks.canaries_planted(tally)
    live = [str(breach) for breach in breaches(stage.contract, stage.cluster.admin())]
    now_ms = int(time.time() * 1000)
    return [
        checks.published(evidence, sent.acknowledged, sent.unacknowledged),
        checks.accounting(books, evidence),
        planted,
        checks.no_leaks(evidence, planted),
        checks.coarse_times(evidence),
        checks.handles_differ(stage.contract, stage.keyring, evidence, sent.device, now_ms),
        checks.retention(live, len(stage.contract.topics) + len(stage.contract.raw_topics)),
        checks.example_shown(example, [] if example is None else example.event.views),
    ]
