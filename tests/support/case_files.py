"""Case files for tests: a small contract with one that is right, and edits that make it wrong."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from pipelines.contract import load_for_building
from pipelines.contract.model import Contract
from pipelines.explain.cases import Cases, Run, read_cases, run_cases
from tests.support.contract_folders import BASE, TODAY, overlaid

FILE: Final = "policies/vpn/session.cases.yaml"
TOPIC: Final = "network-metadata.support"
CANARY: Final = "canary-51c0ffee"
"""A value that stands in raw events alone."""

GOOD: Final = f"""event: vpn.session
cases:
  a session:
    at: 2026-06-01T10:42:07Z
    raw:
      event_id: {CANARY}
      occurred_at: 2026-06-01T10:42:06Z
      device_id: {CANARY}
      account_id: null
      region: eu-west
      ok: true
      bytes_up: 2048
      dns_names: [{CANARY}, {CANARY}, {CANARY}]
      checks: [{{id: boot, detail: {CANARY}}}]
      labels: {{tier: free, {CANARY}: {CANARY}}}
    views:
      {TOPIC}:
        device_id: handle
        occurred_at: 2026-06-01T10:00:00Z
        region: eu-west
        ok: true
        bytes_up: 1024
        dns_names: 2
        checks: [{{id: boot}}]
        labels_tier: free
  elsewhere:
    like: a session
    raw: {{region: {CANARY}, ok: false, bytes_up: null, checks: [{{id: {CANARY}, detail: {CANARY}}}]}}
    views:
      {TOPIC}: {{region: other, ok: false, bytes_up: null, checks: [{{id: other}}]}}
  a number below the range:
    like: a session
    raw: {{bytes_up: -1}}
    views:
      {TOPIC}: quarantined out_of_range at bytes_up
  a word that is not listed:
    like: a session
    raw: {{labels: {{tier: {CANARY}}}}}
    views:
      {TOPIC}: quarantined not_listed at labels{{}}
  bytes that end too early:
    like: a session
    damage: {{cut: 1}}
    views: quarantined truncated at labels
  bytes that are no event:
    like: a session
    hex: c3
    views: quarantined not_single_object
  after the review:
    like: a session
    at: 2029-01-01
    views:
      {TOPIC}: suspended
"""


def with_cases(folder: Path, *edits: tuple[str, str], text: str = GOOD) -> Path:
    """The base contract with a case file beside its policy, in which each text is replaced by another, once."""
    overlaid(folder)
    for old, new in edits:
        assert text.count(old), old
        text = text.replace(old, new, 1)
    (folder / FILE).write_text(text)
    return folder


@cache
def contract_of(folder: Path = BASE, overlay: str | None = None) -> Contract:
    return load_for_building(folder, as_of=TODAY, overlay=overlay)


def reading(folder: Path) -> Cases:
    return read_cases(folder, contract_of())


def running(folder: Path) -> list[Run]:
    found = reading(folder)
    assert not found.findings, found.findings
    return list(run_cases(contract_of(), found.cases))
