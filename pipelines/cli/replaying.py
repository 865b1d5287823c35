"""What `replay` and `quarantine retry` share: options, the run with its progress, how its outcome is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import click
from rich.progress import Progress

from pipelines.broker import Cluster
from pipelines.cli.console import console as make_console
from pipelines.cli.times import spelled
from pipelines.contract.model import Contract
from pipelines.contract.report import counted
from pipelines.keys import DEFAULT_KEK_FILE, DEFAULT_KEYRING
from pipelines.relay.logs import LogStyle
from pipelines.relay.settings import WorkerSettings
from pipelines.replay.engine import Outcome
from pipelines.replay.opening import open_replay
from pipelines.replay.tally import ViewTally
from pipelines.replay.task import Task
from pipelines.text_table import TextTable

COLUMNS: Final = {
    "events_in": "in",
    "out": "out",
    "already": "already there",
    "quarantined": "quarantined",
    "expired": "expired",
    "too_late": "too late",
    "suspended": "suspended",
}

execute_option: Callable[..., Any] = click.option(
    "--execute", is_flag=True, help="Do it. Without this, only say what would be done."
)
batch_option: Callable[..., Any] = click.option(
    "--batch-events",
    default=2_000,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="The most raw events in a transaction.",
)


@dataclass(frozen=True, slots=True)
class Means:
    """With what a replay is done."""

    contract_dir: Path
    overlay: str | None
    cluster: Cluster
    keyring_file: Path | None
    kek_file: Path | None
    batch_events: int
    by: str

    def worker(self, source: str) -> WorkerSettings:
        """The settings of a worker of that source."""
        return WorkerSettings(
            source=source,
            instance="replay",
            slot=0,
            contract_dir=self.contract_dir.resolve(),
            overlay=self.overlay,
            bootstrap=self.cluster.bootstrap,
            properties=self.cluster.properties,
            keyring=(self.keyring_file or DEFAULT_KEYRING).resolve(),
            kek_file=(self.kek_file or DEFAULT_KEK_FILE).resolve(),
            batch_events=self.batch_events,
        )


def carry_out(means: Means, contract: Contract, task: Task, *, execute: bool) -> Outcome:
    """Run the replay, dry or for good; show its progress on a terminal.

    A dry run logs warnings and errors only: that it began and ended is what `print_outcome` prints.

    Raises:
        Trouble: as `Replay.execute`.
    """
    console = make_console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(task.event, total=None)
        replay = open_replay(
            means.worker(contract.events[task.event].source),
            contract,
            task,
            means.by,
            tell=lambda done, total: progress.update(bar, completed=done, total=total),
            style=LogStyle(level="info" if execute else "warning"),
        )
        return replay.execute() if execute else replay.dry_run()


def told(outcome: Outcome, task: Task, *, executed: bool) -> dict[str, Any]:
    """An outcome as JSON has it."""
    tally = outcome.tally
    return {
        "replay": outcome.name,
        "event": task.event,
        "executed": executed,
        "again": task.again,
        "resumed": outcome.resumed,
        "raw_events": tally.taken,
        "unreadable": tally.lost,
        "left_to_the_relay": outcome.behind,
        "may_be_gone_before": None if outcome.gone_before_ms is None else spelled(outcome.gone_before_ms),
        "views": {topic: _counts(view) for topic, view in tally.views.items()},
    }


def print_outcome(outcome: Outcome, task: Task, *, executed: bool) -> None:
    """The same for a person."""
    tally = outcome.tally
    verb = "Replayed" if executed else "Would replay"
    console = make_console()
    console.print(f"{verb} {counted(tally.taken, 'raw event')} of {task.event} (replay {outcome.name})")
    if outcome.resumed:
        console.print("  These counts include what earlier runs of this same replay committed.")
    rows = [(topic, *map(str, asdict(view).values())) for topic, view in tally.views.items()]
    console.print()
    console.print(TextTable(rows, ("topic", *COLUMNS.values()), indent=2, right=frozenset(range(1, len(COLUMNS) + 1))))
    console.print()
    for remark in _remarks(outcome, task, executed=executed):
        console.print(f"  {remark}")


def _remarks(outcome: Outcome, task: Task, *, executed: bool) -> list[str]:
    tally, remarks = outcome.tally, list[str]()
    views = tally.views.values()
    if outcome.gone_before_ms is not None:
        remarks.append(f"Raw events from before {spelled(outcome.gone_before_ms)} may be deleted; see `late` and TTL.")
    if outcome.behind:
        remarks.append(f"Left to the relay, which has not read them yet: {counted(outcome.behind, 'raw offset')}.")
    if tally.lost:
        remarks.append(f"Unreadable, and noted so in quarantine: {counted(tally.lost, 'raw offset')}.")
    if any(view.already for view in views) and task.again:
        remarks.append(
            "Records that a topic has under another ce_id, since the purpose's rotation changed, are not sent again: "
            "consumers could not tell that they are the same."
        )
    if any(view.already for view in views) and not task.again:
        remarks.append(
            "Records that a topic has already are not sent again; `replay --again` sends them, under the same ce_id."
        )
    if task.again and any(view.out for view in views):
        remarks.append("Consumers get these once more, with the same ce_id and the header ce_replay: inform them.")
    if not executed:
        remarks.append("Nothing was written. Add --execute to do it.")
    return remarks


def _counts(view: ViewTally) -> dict[str, int]:
    return {COLUMNS[each.name].replace(" ", "_"): getattr(view, each.name) for each in fields(view)}
