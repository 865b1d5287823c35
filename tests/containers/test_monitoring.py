"""The dashboard and the alert rules: they name what there is, and each alert sounds when it should."""

import re
import shutil
import subprocess

import pytest
import structlog
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import pipelines.relay.metrics  # noqa: F401 - defines them
from pipelines.contract import load_valid
from pipelines.relay.on_disk import ContractOnDisk
from pipelines.topics.gauges import VerdictCollector
from pipelines.topics.verifying import Verdict
from tests.containers.monitoring import alerts, named, panels, rules
from tests.support.container_engine import ROOT, why_no_engine
from tests.support.shipped import AS_OF

FOLDER = ROOT / "containers/prometheus"
TESTS = FOLDER / "alerts.test.yml"


def defined() -> set[str]:
    """The names under which the project's metrics are scraped."""
    names, verdicts = set(), VerdictCollector()
    verdicts.verdict = Verdict(0, (), (), (), (), (), (), {})
    contract = ContractOnDisk(
        ROOT, None, load_valid(ROOT, as_of=AS_OF), CollectorRegistry(), structlog.stdlib.get_logger()
    )
    for metric in [*REGISTRY.collect(), *verdicts.collect(), *contract.collect()]:
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric.type, [""])
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def test_every_metric_that_the_dashboard_or_an_alert_names_exists() -> None:
    assert len(named()) > 15
    assert named() - defined() == set()


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    ours = {name for name in defined() if name.startswith("pipelines_") and not name.endswith(("_sum", "_count"))}
    assert ours - named() - {"pipelines_build_info"} == set()


def test_the_dashboard_shows_what_an_operator_watches() -> None:
    titles = " ".join(panel["title"] for panel in panels())
    flow, kept = ("by source", "by view", "by purpose"), ("runway", "Review ends", "Promised, at worst, observed")
    for subject in (*flow, "expire", "Quarantine, by reason", *kept):
        assert subject in titles
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert {panel["datasource"]["uid"] for panel in panels()} == {"prometheus"}


def test_every_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "action"}


def test_every_alert_has_a_test_in_which_it_sounds() -> None:
    text = TESTS.read_text()
    assert set(re.findall(r'alertname="(\w+)"', text)) == alerts()
    cases = yaml.safe_load(text)["tests"]
    assert {case["name"] for case in cases} == alerts() | {"A sound run"}


@pytest.fixture
def promtool(request: pytest.FixtureRequest) -> list[str]:
    """The command, as it is here: on PATH, or in Prometheus' image."""
    if shutil.which("promtool"):
        return ["promtool"]
    if why_no_engine():
        pytest.skip(f"promtool is not installed, and there is {why_no_engine()}")
    image = request.getfixturevalue("prometheus_image")
    mount = ["-v", f"{FOLDER}:{FOLDER}:ro", "-w", str(FOLDER)]
    return ["docker", "run", "--rm", *mount, "--entrypoint", "/bin/promtool", image]


def checked(promtool: list[str], *arguments: str) -> None:
    ended = subprocess.run([*promtool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.container
def test_prometheus_takes_the_configuration_and_each_alert_sounds_when_it_should(promtool: list[str]) -> None:
    checked(promtool, "check", "config", str(FOLDER / "prometheus.yml"))
    checked(promtool, "test", "rules", str(TESTS))


def test_prometheus_looks_for_every_minimizer_service() -> None:
    document = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    looked_for = document["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert looked_for == sorted(name for name in compose["services"] if name.startswith("minimizer-"))
