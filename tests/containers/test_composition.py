"""docker-compose.yml as data: every service is locked down, and each source has one of its own."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.broker import jars
from pipelines.contract import load_valid
from pipelines.retention import TRANSACTION_TIMEOUT_MS
from tests.support.container_engine import KAFKA, PROMETHEUS, ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MINIMIZERS = {name: service for name, service in SERVICES.items() if name.startswith("minimizer-")}


@pytest.mark.slow
def test_every_source_has_a_minimizer_service_of_its_own() -> None:
    contract = load_valid(ROOT, as_of=datetime.now(UTC).date())
    assert {name: service["command"] for name, service in MINIMIZERS.items()} == {
        f"minimizer-{source}": ["run", source] for source in contract.sources
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_locked_down_and_checked(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"] == {"core": 0}
    assert service.keys() >= {"mem_limit", "pids_limit", "restart", "logging", "networks"}
    assert service.keys().isdisjoint({"privileged", "cap_add", "user", "network_mode", "pid", "ipc", "container_name"})
    # That of the minimizers is in the image; what ends by itself has none.
    assert ("healthcheck" in service) is (name not in MINIMIZERS)
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_a_minimizer_may_be_scaled_and_waits_for_what_it_needs() -> None:
    for service in MINIMIZERS.values():
        assert service.keys().isdisjoint({"hostname", "ports", "scale", "profiles"})
        assert {name: wanted["condition"] for name, wanted in service["depends_on"].items()} == {
            "kafka": "service_healthy",
            "topics": "service_completed_successfully",
            "keys": "service_completed_successfully",
        }
        assert service["stop_grace_period"] == f"{TRANSACTION_TIMEOUT_MS // 1000}s"
        assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_only_who_makes_the_keys_may_write_them_and_only_minimizers_read_them() -> None:
    holders = {name for name, service in SERVICES.items() if any("ke" in one[:3] for one in service.get("volumes", []))}
    assert holders == {"keys", *MINIMIZERS}


def test_prometheus_and_grafana_do_not_reach_kafka() -> None:
    assert SERVICES["kafka"]["networks"] == ["data"]
    assert SERVICES["prometheus"]["networks"] == SERVICES["grafana"]["networks"] == ["watch"]


def test_no_password_stands_in_a_setting() -> None:
    settings = {name: value for service in SERVICES.values() for name, value in service.get("environment", {}).items()}
    assert [name for name in settings if "PASSWORD" in name or "SECRET" in name or "TOKEN" in name] == []
    assert COMPOSE["secrets"].keys() == {"kafka.properties"}


def test_nothing_is_used_that_either_compose_does_not_know() -> None:
    assert COMPOSE.keys().isdisjoint({"name", "version", "configs", "include"})
    for service in SERVICES.values():
        assert "start_interval" not in service.get("healthcheck", {})
        assert all(wanted.keys() == {"condition"} for wanted in service.get("depends_on", {}).values())


def test_kafka_in_a_container_is_the_version_of_the_embedded_one() -> None:
    lock = tomllib.loads(Path(jars.__file__).with_name("jgo.lock.toml").read_text())
    [version] = {jar["version"] for jar in lock["dependencies"] if jar["artifactId"] == "kafka_2.13"}
    assert f"apache/kafka:{version}" == KAFKA
    assert KAFKA in SERVICES["kafka"]["image"]
    assert PROMETHEUS in SERVICES["prometheus"]["image"]


def test_the_key_of_ones_own_reaches_all_who_need_it() -> None:
    laid: dict[str, Any] = yaml.safe_load((ROOT / "containers/own-kek.yml").read_text())
    assert laid["services"].keys() == {"keys", *MINIMIZERS}
