"""`pipelines run` and `topics verify --watch` as processes: somebody breaks a promise while they run."""

from __future__ import annotations

import signal
import subprocess
import urllib.request

import orjson
import pytest

from pipelines.trouble import Exit
from tests.support.commands import COMMAND, arguments, free_port, running, surroundings
from tests.support.kafka import alter
from tests.support.processes import finished
from tests.support.relay_fixture import RelayFixture
from tests.support.waiting import CALL_S, until

pytestmark = pytest.mark.broker


def scraped(port: int, name: str, topic: str) -> float | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=CALL_S) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    line = f'pipelines_retention_{name}{{topic="{topic}"}} '
    found = [each.removeprefix(line) for each in text.splitlines() if each.startswith(line)]
    return float(found[0]) if found else None


def test_a_run_goes_on_and_sounds_the_alarm_when_somebody_switches_compaction_on(house: RelayFixture) -> None:
    port = free_port()
    with running(*arguments(house, "--metrics-port", str(port), "--verify-every", "0.3"), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready")
        until(lambda: scraped(port, "breaches", house.handled) == 0, "the topic's promise in the metrics")
        alter(house.cluster, house.handled, "cleanup.policy", "compact")
        line, *_ = crew.wait_until_said("topics.drift", times=2, topic=house.handled)
        assert (line["code"], line["settings"]) == ("cleanup", ["cleanup.policy is compact (set on the topic)"])
        until(lambda: scraped(port, "breaches", house.handled) == 1, "the breach in the metrics")
        assert crew.process.poll() is None
        assert crew.end() == Exit.DONE
    with running(*arguments(house), cwd=house.folder, name="again") as refused:
        assert refused.wait() == Exit.REFUSED
    assert "cleanup.policy is compact" in refused.log.read_text()


def test_verify_watches_until_it_is_asked_to_end_and_exits_with_what_it_saw_last(house: RelayFixture) -> None:
    alter(house.cluster, house.handled, "retention.ms", "-1")
    port = free_port()
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    watching = subprocess.Popen(
        [*COMMAND, "topics", "verify", "--watch", "--every", "0.3", "--json", "--metrics-port", str(port), *options],
        cwd=house.folder,
        env=surroundings(house.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: scraped(port, "worst_case_seconds", house.handled) == float("inf"), "no limit in the metrics")
        watching.send_signal(signal.SIGTERM)
        printed, _ = finished(watching, "`topics verify --watch`")
    finally:
        watching.kill()
        watching.wait()
    assert watching.returncode == Exit.FINDINGS
    verdict = orjson.loads(printed.splitlines()[-1])
    assert [(breach["topic"], breach["code"]) for breach in verdict["breaches"]] == [(house.handled, "retention")]
