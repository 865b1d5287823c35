"""`pipelines health`: whether the workers of a `pipelines run` on this machine live and move."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

import click
import orjson

from pipelines.cli.options import json_option
from pipelines.cli.printing import say, say_json
from pipelines.trouble import Exit, Trouble

_PATIENCE_S = 20.0  # on an overloaded machine an answer takes long, and being slow is not being stuck


_ON_DISK = {
    "same": "the one that the workers run",
    "differs": "not the one that the workers run; restart the run to use it",
    "unreadable": "has errors, so no worker can be started again; see pipelines validate",
}


@click.command("health", short_help="Say whether the workers of a run are alive and make progress.")
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    envvar="PIPELINES_METRICS_PORT",
    required=True,
    help="The --metrics-port of the run.",
)
@click.option(
    "--within",
    type=click.FloatRange(0, 86_400, min_open=True),
    show_default="the run's own, 90",
    metavar="SECONDS",
    help="A worker that took no step for so long is stuck.",
)
@json_option
def command(metrics_port: int, within: float | None, as_json: bool) -> None:
    """Ask the `pipelines run` at this port of this machine whether each of its workers lives and moves.

    Exit code 0 when all do, 1 when one is stuck, stalled or absent, 3 when the run does not answer. A worker that is
    busy, or waits for a Kafka that is away, is not stuck. A worker that runs for 300 s without a commit although events
    wait is stalled: the log line `batch.failed` names the reason. Prints the release and
    the contract that each worker runs, and whether the contract on disk is another one, which changes no exit code.
    Made for a container's health check; an orchestrator that asks over HTTP finds the same at /health of that port (200
    or 503).
    """
    found = _ask(metrics_port, within)
    if as_json:
        say_json(found)
    else:
        for worker in found["workers"]:
            silent = "" if worker["silent_s"] is None else f", last step {worker['silent_s']:.1f} s ago"
            stalled = "" if worker["state"] != "stalled" else f", no commit for {worker['stalled_s']:.0f} s"
            runs = _runs(worker)
            say(f"{worker['source']}.{worker['slot']}: {worker['state']}{silent}{stalled}{runs}")
        on_disk = _ON_DISK.get(found.get("contract_on_disk", ""))
        if on_disk is not None:
            say(f"contract on disk: {on_disk}")
    if not found["healthy"]:
        sys.exit(Exit.FINDINGS)


def _runs(worker: Mapping[str, Any]) -> str:
    """Return what a worker runs, in words; nothing of one that has not said it, or whose run is of an older release."""
    version, policy_version = worker.get("version"), worker.get("policy_version")
    return "" if None in {version, policy_version} else f", release {version}, contract {policy_version}"


def _ask(port: int, within: float | None) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)  # never through a proxy
    try:
        connection.request("GET", "/health" if within is None else f"/health?within={within}")
        document: Any = orjson.loads(connection.getresponse().read())
        if isinstance(document, dict) and {"healthy", "workers"} <= document.keys():
            return document
    except (OSError, HTTPException, orjson.JSONDecodeError):
        pass
    finally:
        connection.close()
    raise Trouble(
        f"no `pipelines run` answers at 127.0.0.1:{port}",
        hint="Start it with --metrics-port, and name the same port here (PIPELINES_METRICS_PORT).",
    )
