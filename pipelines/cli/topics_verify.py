"""`pipelines topics verify`: are the promises kept? Once, or again and again. Parsing and printing only."""

from __future__ import annotations

import signal
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from pipelines.cli.connect import connect
from pipelines.cli.console import console, say_lines
from pipelines.cli.options import (
    contract_option,
    initial_delay_option,
    json_option,
    kafka_options,
    log_options,
    overlay_option,
)
from pipelines.cli.printing import say_json
from pipelines.contract import load_valid
from pipelines.relay.endpoint import serve
from pipelines.relay.logs import LogStyle, configure
from pipelines.topics.verifying import Verdict, verdict_lines, verify
from pipelines.topics.watching import Watch, Watched
from pipelines.trouble import Exit


@click.command(name="verify")
@contract_option
@overlay_option
@kafka_options
@json_option
@initial_delay_option
@click.option("--strict", is_flag=True, help="Exit with 1 for what is unproven, too.")
@click.option("--watch", is_flag=True, help="Verify again and again, until SIGTERM or Ctrl-C; log what is wrong.")
@click.option(
    "--every", "every_s", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="With --watch: seconds."
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="none",
    envvar="PIPELINES_VERIFY_METRICS_PORT",
    help="With --watch: serve Prometheus metrics at this port.",
)
@click.option("--metrics-address", default="127.0.0.1", show_default=True, help="The address to serve them at.")
@log_options
@click.pass_context
def verify_(
    ctx: click.Context,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    as_json: bool,
    initial_delay_ms: int,
    strict: bool,
    watch: bool,
    every_s: float,
    metrics_port: int,
    metrics_address: str,
    log_format: str,
    log_level: str,
) -> None:
    """Check that the live topics keep their promises: settings, and the oldest record of every partition.

    Names each setting that breaks a promise, where it comes from (the topic, one broker, all brokers, a
    server.properties, Kafka's default) and the command that fixes it. What cannot be determined (a partition without a
    leader, a replica on a broker that is down) is reported as unproven. Exit 1 when a promise is broken.

    \b
    Examples:
      pipelines topics verify                              once
      pipelines topics verify --json > verdict.json        for the auditor's file
      pipelines topics verify --watch --metrics-port 9465  as a process of its own
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    cluster = connect(bootstrap, kafka_properties)
    if not watch:
        verdict = verify(contract, cluster, int(time.time() * 1000), initial_delay_ms=initial_delay_ms)
        _show(verdict, as_json=as_json)
        ctx.exit(_exit(verdict, strict=strict))
    last: list[Verdict] = []

    def heard(verdict: Verdict) -> None:
        last[:] = [verdict]
        if as_json:
            _show(verdict, as_json=True)

    log = configure("topics", style=LogStyle(log_format, log_level))
    watching = Watch(Watched(contract, cluster, every_s, initial_delay_ms), log, heard)
    if metrics_port:
        registry = CollectorRegistry()
        registry.register(watching.collector)
        serve(metrics_address, metrics_port, registry, ())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: watching.stop())
    watching.run()
    ctx.exit(_exit(last[0], strict=strict) if last else Exit.UNAVAILABLE)


def _show(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        say_json(asdict(verdict), indent=False)
        return
    commands = {f"    {breach.command}" for breach in verdict.breaches if breach.command}
    say_lines(verdict_lines(verdict, console().width), commands=commands)


def _exit(verdict: Verdict, *, strict: bool) -> Exit:
    return Exit.FINDINGS if verdict.breaches or (strict and verdict.unproven) else Exit.DONE
