"""The shipped dashboard and alert rules, as data; and a Prometheus that knows them."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.container_engine import ROOT
from tests.support.waiting import CALL_S

RULES = ROOT / "containers/prometheus/alerts.yml"
DASHBOARD = ROOT / "containers/grafana/dashboards/pipelines.json"
_METRIC = re.compile(r"\bpipelines_[a-z_]+")


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels that show something."""
    document = json.loads(DASHBOARD.read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """What the panels ask, with Grafana's own variable put in."""
    asked = (target["expr"] for panel in panels() for target in panel["targets"])
    return [expression.replace("$__rate_interval", "5m") for expression in asked]


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> set[str]:
    """Their names."""
    return {rule["alert"] for rule in rules()}


def named() -> set[str]:
    """Every metric of ours that the dashboard or a rule names."""
    texts = [*expressions(), *(rule["expr"] for rule in rules())]
    return {metric for text in texts for metric in _METRIC.findall(text)}


@dataclass(frozen=True, slots=True)
class Server:
    """A Prometheus, by its address."""

    address: str

    def query(self, expression: str) -> list[float]:
        """The values that it answers now."""
        found = self._ask("query", query=expression)
        return [float(one["value"][1]) for one in found["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """The alert rules that it has, and whether they can be evaluated."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **parameters: str) -> dict[str, Any]:
        address = f"{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=CALL_S) as answer:  # noqa: S310 - one of our own containers
            document: dict[str, Any] = json.loads(answer.read())
        assert document["status"] == "success"
        data: dict[str, Any] = document["data"]
        return data
