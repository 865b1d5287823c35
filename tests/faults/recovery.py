"""`python -m tests.faults.recovery`: how long recovery takes on a broker of its own, as a table or as JSON.

python -m tests.faults.recovery --kills 40 --json
python -m tests.faults.recovery --kills 0 --takeovers 6 --session-timeout-ms 6000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from pipelines.broker import EmbeddedKafka
from pipelines.relay.logs import configure
from pipelines.relay.settings import WorkerSettings
from tests.faults.recovery_scene import Scene, shipped, trickling
from tests.faults.recovery_times import STAGES, Recovery, finish, restarts, takeovers
from tests.support.kafka import SHORT_TIMINGS
from tests.support.oracle import committed, differences, expect, reordered
from tests.support.relay_fixture import build


def main(arguments: list[str]) -> int:
    """Measure and print; 1 when an event was lost, doubled or out of order."""
    wish = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="recovery-") as name, (Path(name) / "workers.log").open("wb") as log:
        folder = Path(name)
        configure("supervisor", sys.stderr)
        kafka = EmbeddedKafka(folder / "broker", settings=SHORT_TIMINGS if wish.short_timings else {})
        kafka.start()
        try:
            scene = _scene(wish, folder, kafka, log.fileno())
            with trickling(scene):
                figures = {
                    "restart": restarts(scene, wish.kills, every_s=wish.every, seed=wish.seed) if wish.kills else [],
                    "takeover_after_kill": takeovers(scene, wish.takeovers, stop=False) if wish.takeovers else [],
                    "takeover_after_stop": takeovers(scene, wish.pauses, stop=True) if wish.pauses else [],
                }
            report = {"settings": vars(wish), **{what: summary(some) for what, some in figures.items() if some}}
            report["violations"] = violations(scene)
        finally:
            kafka.stop()
    sys.stdout.buffer.write(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    return int(any(report["violations"].values()))


def summary(recoveries: Iterable[Recovery]) -> dict[str, Any]:
    """Seconds: over all, by the place of death, and by stage of the successor's start."""
    by_place, by_stage, every = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list), list[float]()
    for one in recoveries:
        every.append(one.seconds)
        by_place[one.place].append(one.seconds)
        for stage, seconds in one.stages.items():
            by_stage[stage].append(seconds)
    return {
        "all": _figures(every),
        "by_place": {place: _figures(some) for place, some in by_place.items()},
        "until_stage": {stage: _figures(by_stage[stage]) for stage in STAGES if stage in by_stage},
    }


def _figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "count": len(ordered),
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 3),
        "max": round(ordered[-1], 3),
    }


def violations(scene: Scene) -> dict[str, int]:
    """Let everything through, and compare what came out with what the raw topics oblige to."""
    finish(scene)
    expectation = expect(scene.contract, scene.cluster, scene.keyring)
    records, notes = committed(scene.contract, scene.cluster)
    return {**differences(expectation, records, notes), "reordered": reordered(expectation, records)}


def _scene(wish: argparse.Namespace, folder: Path, kafka: EmbeddedKafka, log: int) -> Scene:
    changes: dict[str, Any] = {"protocol": wish.protocol}
    if wish.session_timeout_ms:
        changes["session_timeout_ms"] = wish.session_timeout_ms
    if wish.contract == "shipped":
        contract, keyring, settings = shipped(folder, kafka.cluster, wish.source)
    else:
        house = build(folder / "house", kafka.cluster)
        contract, keyring = house.contract, house.keyring
        settings = house.settings(session_timeout_ms=WorkerSettings.session_timeout_ms)
    return Scene(folder, contract, kafka.cluster, keyring, replace(settings, **changes), log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.faults.recovery", description=__doc__)
    parser.add_argument("--kills", type=int, default=24, help="of a worker that a supervisor restarts")
    parser.add_argument("--takeovers", type=int, default=0, help="SIGKILLs of a worker that nobody restarts")
    parser.add_argument("--pauses", type=int, default=0, help="SIGSTOPs of a worker that nobody wakes")
    # After 10 quick deaths in a minute the supervisor makes a slot wait, which is not what is measured.
    parser.add_argument("--every", type=float, default=10.0, help="seconds from a first commit to the next kill, about")
    parser.add_argument("--contract", choices=["shipped", "small"], default="shipped")
    parser.add_argument("--source", default="vpn", help="of the shipped contract")
    parser.add_argument("--protocol", choices=["classic", "consumer"], default="classic")
    parser.add_argument("--session-timeout-ms", type=int, help="the worker's default otherwise")
    parser.add_argument("--short-timings", action="store_true", help="a broker that sweeps often, as tests have it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the only format; said for the reader's sake")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
