"""`python -m bench.rebalance`: how long a group stands while one more member joins, by the size of the group.

The members are consumers with a worker's own settings, all in one process, asked in turn: what is measured is the group
protocol (heartbeats, JoinGroup, SyncGroup), not minimizing. A real worker first gives up the batch in its hands, and
reads its books afterwards: `tests/faults/recovery.py` measures that.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import orjson
import structlog

from bench.job import make_topics
from bench.stage import stage
from pipelines.broker import Cluster, Consumer, TopicPartition
from pipelines.relay.inbox import Inbox
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.station import Station

_TOPIC: Final = "raw.bench.rebalance"
_EACH: Final = 3  # partitions a member
_PATIENCE_S: Final = 180.0
_STILL_S: Final = 6.0  # longer than two heartbeats: nothing more is going on in the group
_MANY: Final = (10, 30, 100)


@dataclass(slots=True)
class Member:
    """One consumer. `stood` are the spans (s) from giving its partitions up to getting some."""

    consumer: Consumer
    revoked_at: float = 0.0
    assigned_at: float = 0.0
    stood: list[float] = field(default_factory=list)

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take them."""
        consumer.assign(partitions)
        self.assigned_at = time.monotonic()
        if self.revoked_at:
            self.stood.append(self.assigned_at - self.revoked_at)

    def on_revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        """Give them up."""
        consumer.unassign()
        self.revoked_at, self.assigned_at = time.monotonic(), 0.0


@click.command(context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]})
@click.option("--members", multiple=True, type=click.IntRange(1, 200), help="Of the group, before one joins.")
@click.option("--joins", default=3, show_default=True, type=click.IntRange(min=1), help="One after the other.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all figures here.")
def main(members: Sequence[int], joins: int, json_file: Path | None) -> None:
    """Let one more member join groups of 10, 30 and 100 members (or of MEMBERS), three partitions each.

    Prints for each size: from the join until all members have partitions again, and how long a member stands with none
    (median, longest), in seconds.
    """
    sizes = list(members or _MANY)
    rows = []
    with stage() as (cluster, _):
        make_topics(cluster, [_TOPIC], _EACH * (max(sizes) + joins), raw=True)
        for size in sizes:
            rows.append(_measured(cluster, size, joins))
            click.echo(
                "{members:4} members: {until_all_s:.2f} s until all have partitions again, a member stands "
                "{stands_s:.2f} s (longest {stands_most_s:.2f}), {cpu_ms:.1f} ms of CPU a member".format(**rows[-1])
            )
    if json_file is not None:
        json_file.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))


def _measured(cluster: Cluster, size: int, joins: int) -> dict[str, Any]:
    crew = [_member(cluster, f"size-{size}", number) for number in range(size)]
    _settle(crew)
    took, cpu = [], 0.0
    for member in crew:
        member.stood.clear()
    for number in range(joins):
        _say(f"{size} members: join {number + 1} of {joins}")
        began, spent = time.monotonic(), time.process_time()
        crew.append(_member(cluster, f"size-{size}", size + number))
        last = _settle(crew)
        took.append(last - began)
        cpu += time.process_time() - spent
    stood = [seconds for member in crew for seconds in member.stood]
    for member in crew:
        member.consumer.close()
    return {
        "members": size, "until_all_s": statistics.median(took), "stands_s": statistics.median(stood),
        "stands_most_s": max(stood), "cpu_ms": cpu / joins / size * 1000,
    }  # fmt: skip


def _settle(crew: Sequence[Member]) -> float:
    """Poll until all have partitions and keep them; when the last of them got its own."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        for member in crew:
            member.consumer.poll(0)
        time.sleep(0.002)
        last = max(member.assigned_at for member in crew)
        if all(member.assigned_at for member in crew) and time.monotonic() - last > _STILL_S:
            return last
    raise SystemExit(f"a group of {len(crew)} did not settle in {_PATIENCE_S:.0f} s")


def _member(cluster: Cluster, group: str, number: int) -> Member:
    settings = WorkerSettings(
        source=group, instance="bench", slot=number, contract_dir=Path(), bootstrap=cluster.bootstrap, keyring=Path(),
        kek_file=Path(),
    )  # fmt: skip
    inbox = Inbox(Station(settings, cluster, structlog.stdlib.get_logger()), {_TOPIC: []})
    settled = {**inbox._config(), "auto.offset.reset": "latest"}  # noqa: SLF001 - the worker's own settings are the point
    member = Member(cluster.consumer(**settled))
    member.consumer.subscribe([_TOPIC], on_assign=member.on_assign, on_revoke=member.on_revoke)
    return member


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


if __name__ == "__main__":
    main()
