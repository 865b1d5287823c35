"""`pipelines run`: the minimizer workers, supervised."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from pipelines.cli.connect import connect
from pipelines.cli.options import (
    contract_option,
    initial_delay_option,
    kafka_options,
    key_options,
    log_options,
    overlay_option,
)
from pipelines.contract import load_valid
from pipelines.keys import DEFAULT_KEK_FILE, DEFAULT_KEYRING
from pipelines.relay.endpoint import serve
from pipelines.relay.health import forget, stuck
from pipelines.relay.logs import LogStyle, configure
from pipelines.relay.on_disk import ContractOnDisk
from pipelines.relay.one_keyring import refuse_another_of
from pipelines.relay.preflight import keyring_of, topic_ids
from pipelines.relay.settings import WorkerSettings
from pipelines.relay.slotlock import hold
from pipelines.relay.supervisor import Launch, Supervisor
from pipelines.relay.worker_metrics import registry_of
from pipelines.topics.watching import Watch, Watched


def _mark(ctx: click.Context, param: click.Parameter, text: str) -> str:
    """A keyring's mark as `keys status` shows it; empty for none."""
    if text and not re.fullmatch(r"[0-9a-f]{16}", text):
        raise click.BadParameter("write the 16 hexadecimal digits that `pipelines keys status` shows", ctx, param)
    return text


@click.command(short_help="Run the minimizer workers.")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--workers", default=1, type=click.IntRange(1, 64), show_default=True, help="Processes for each source.")
@click.option(
    "--instance",
    default=socket.gethostname,
    show_default="this host's name",
    envvar="PIPELINES_INSTANCE",
    help="Tells this run's slots from those of other hosts; keep it the same over restarts.",
)
@click.option(
    "--protocol",
    type=click.Choice(["classic", "consumer"]),
    default="classic",
    show_default=True,
    help="Kafka's group protocol. `classic` keeps a slot's partitions over a restart (KIP-345).",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="none",
    envvar="PIPELINES_METRICS_PORT",
    help="Serve Prometheus metrics of all workers at this port, and /health.",
)
@click.option(
    "--metrics-address",
    default="127.0.0.1",
    show_default=True,
    envvar="PIPELINES_METRICS_ADDRESS",
    help="The address to serve them at. They hold names and counts, and have no password.",
)
@click.option(
    "--replaces-keyring",
    metavar="MARK",
    default="",
    show_default="none",
    callback=_mark,
    help="The mark of a keyring that is lost for good: go on after it with this one, under other handles.",
)
@click.option(
    "--linger-ms",
    default=100,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How long a batch fills; 5 for low latency.",
)
@click.option(
    "--batch-events",
    default=2_000,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="The most raw events in a transaction.",
)
@click.option(
    "--verify-every",
    "verify_every_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds between looks at the topics' promises, for alarms and metrics; 0: never.",
)
@initial_delay_option
@contract_option
@overlay_option
@kafka_options
@key_options
@log_options
def command(
    sources: tuple[str, ...],
    workers: int,
    instance: str,
    protocol: Literal["classic", "consumer"],
    metrics_port: int,
    metrics_address: str,
    replaces_keyring: str,
    linger_ms: int,
    batch_events: int,
    verify_every_s: float,
    initial_delay_ms: int,
    contract_dir: Path,
    overlay: str | None,
    bootstrap: str | None,
    kafka_properties: Path | None,
    keyring_file: Path | None,
    kek_file: Path | None,
    log_format: str,
    log_level: str,
) -> None:
    """Minimize the raw events of each SOURCE (all sources of the contract without one), until SIGTERM or Ctrl-C.

    Each source gets its own processes, so a busy one does not delay the others. A worker that dies is restarted in its
    slot and goes on exactly where its last commit left off. Refuses to start when the contract has errors (exit 1), a
    key for now is missing (exit 3), a topic breaks its promise, or another keyring was used before (exit 4). A promise
    that somebody breaks while it runs is an error in the log (`topics.drift`) and in the metrics, until it is fixed.

    Log lines go to standard error: as text on a terminal, as JSON elsewhere.

    \b
    Examples:
      pipelines run                        one worker for every source
      pipelines run vpn proxy --workers 2  two workers each for two sources
      pipelines run --metrics-port 9464    and http://127.0.0.1:9464/metrics, …/health
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    cluster = connect(bootstrap, kafka_properties)
    contract = load_valid(contract_dir, as_of=datetime.now(UTC).date(), overlay=overlay)
    settings = [
        WorkerSettings(
            source=source,
            instance=instance,
            slot=slot,
            contract_dir=contract_dir.resolve(),
            overlay=overlay,
            replaces_keyring=replaces_keyring,
            bootstrap=cluster.bootstrap,
            properties=cluster.properties,
            keyring=(keyring_file or DEFAULT_KEYRING).resolve(),
            kek_file=(kek_file or DEFAULT_KEK_FILE).resolve(),
            protocol=protocol,
            linger_ms=linger_ms,
            batch_events=batch_events,
            initial_delay_ms=initial_delay_ms,
        )
        for source in _chosen(sources, contract.sources)
        for slot in range(workers)
    ]
    # What a worker would refuse is better said once, here, than by each of them forever.
    held = contextlib.ExitStack()
    for one in settings[::workers]:
        mark = keyring_of(one, contract).mark
        refuse_another_of(contract, cluster.admin(), one.source, mark, replaces_keyring)
        ids = topic_ids(contract, cluster, one.source, initial_delay_ms)
        for lock in hold((each for each in settings if each.source == one.source), ids):
            held.enter_context(lock)
    with held, tempfile.TemporaryDirectory(prefix="pipelines-metrics-") as folder:
        style = LogStyle(log_format, log_level)
        launch = Launch(environment={"PROMETHEUS_MULTIPROC_DIR": folder, **style.environment})
        log = configure("supervisor", style=style)
        registry = registry_of(Path(folder), log)
        slots = [(one.source, one.slot) for one in settings]
        supervisor = Supervisor(
            settings,
            log,
            launch,
            ended=lambda pid: forget(pid, Path(folder)),
            stuck=lambda ages_s: stuck(ages_s, registry, time.time()),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: supervisor.stop())
        if verify_every_s:
            watch = Watch(
                Watched(contract, cluster, verify_every_s, initial_delay_ms), configure("topics", style=style)
            )
            registry.register(watch.collector)
            watch.start()
        on_disk = ContractOnDisk(contract_dir.resolve(), overlay, contract, registry, log)
        registry.register(on_disk)
        on_disk.start()
        if metrics_port:
            serve(metrics_address, metrics_port, registry, slots, on_disk.finding)
        exit_code = supervisor.run()
    if exit_code:
        raise SystemExit(exit_code)


def _chosen(asked: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    for source in asked:
        if source not in known:
            raise click.BadParameter(
                f"{source!r} is not a source of this contract; its sources are: {', '.join(known)}."
            )
    return tuple(dict.fromkeys(asked)) or known
