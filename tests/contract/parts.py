"""Parts of contracts from text, without a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipelines.contract.derived import fingerprint
from pipelines.contract.findings import Position
from pipelines.contract.model import RawSchema
from pipelines.contract.operands import Lists
from pipelines.contract.policy import read_policy
from pipelines.contract.raw_schema import read_schema
from pipelines.contract.reading import read
from pipelines.contract.report import Report
from pipelines.contract.view import ViewDraft, read_view

LISTS = Lists({"regions": ("eu", "us")}, frozenset({"regions"}))


def raw(fields: Sequence[dict[str, Any]], version: int = 1, report: Report | None = None) -> RawSchema:
    """A raw schema of these fields; they are classed `metadata` where they have no class and may have one."""
    classed = [
        field if "class" in field or "record" in json.dumps(field) else field | {"class": "metadata"}
        for field in fields
    ]
    schema = {"type": "record", "name": "Session", "namespace": "vpn", "fields": classed}
    noted = Report() if report is None else report
    file = f"session.v{version}.avsc"
    node = read(json.dumps(schema).encode(), file, noted, strict_json=True)
    record = None if node is None else read_schema(node, noted)
    assert record is not None, noted.mistakes
    return RawSchema("vpn.session", version, record, json.dumps(schema), fingerprint(schema), Position(file))


def view(rules: str, *versions: RawSchema) -> tuple[ViewDraft, Report]:
    """The view that these rules (YAML lines) make of these versions, and the mistakes met."""
    report = Report()
    lines = "".join(f"    {line.strip()}\n" for line in rules.strip().splitlines())
    text = f"event: vpn.session\nviews:\n  network-metadata.support:\n{lines}"
    node = read(text.encode(), "session.yaml", report)
    policy = None if node is None else read_policy(node, "vpn.session", report)
    assert policy is not None
    assert len(policy.views) == 1, report.mistakes
    return read_view("vpn.session", policy.views[0], versions, LISTS, report), report


def output(rules: str, *versions: RawSchema) -> list[dict[str, Any]]:
    """The fields of the derived schema, as JSON; there must be no mistake."""
    draft, report = view(rules, *versions)
    assert draft.view is not None, report.mistakes
    fields: list[dict[str, Any]] = json.loads(draft.view.schema)["fields"]
    return fields


def mistakes(rules: str, *versions: RawSchema) -> list[str]:
    """The ids of the checks that these rules fail."""
    return [check for check, _ in view(rules, *versions)[1].mistakes]
