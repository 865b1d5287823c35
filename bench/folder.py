"""Contracts made for measuring: event types with their schemas, views that keep some fields, and nothing reviewed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOURCE: Final = "bench"


@dataclass(frozen=True, slots=True)
class EventType:
    """`bench.NAME`: its raw schema, the rule (YAML) of each path that a purpose keeps, and the paths that none does."""

    name: str
    schema: Mapping[str, Any]
    views: Mapping[str, Mapping[str, str]]
    never: Sequence[str]


def write_contract(folder: Path, events: list[EventType], purposes: Mapping[str, str]) -> Path:
    """Write a contract with these event types; `purposes` are by name the identifier that a handle is of, or none."""
    raw, policies = folder / "schemas/raw" / SOURCE, folder / "policies" / SOURCE
    raw.mkdir(parents=True)
    policies.mkdir(parents=True)
    (folder / "policies/lists.yaml").write_text("{}\n")
    (folder / "policies/purposes.yaml").write_text(
        "".join(_PURPOSE.format(name=name, handle=handle) for name, handle in purposes.items())
    )
    for event in events:
        (raw / f"{event.name}.v1.avsc").write_text(json.dumps(event.schema))
        (policies / f"{event.name}.yaml").write_text(_policy(event))
    raws = "".join(_RAW.format(name=event.name) for event in events)
    topics = "".join(_TOPIC.format(name=name) for name in purposes)
    (folder / "topics.yaml").write_text(f"raw:\n{raws}minimized:\n{topics}{_OTHERS}")
    return folder


def _policy(event: EventType) -> str:
    views = "".join(
        f"  network-metadata.{purpose}:\n" + "".join(f"    '{path}': {rule}\n" for path, rule in rules.items())
        for purpose, rules in event.views.items()
    )
    never = "".join(f"  '{path}': nobody needs it\n" for path in event.never)
    return f"event: {SOURCE}.{event.name}\nviews:\n{views}never:\n{never}"


_PURPOSE: Final = f"""{{name}}:
  description: Measure
  objective: operational
  iri: dpv:ServiceProvision
  legal_basis: dpv:LegitimateInterest
  question: How much CPU does an event take
  need: It is measured on events
  alternatives: None that runs
  how_long: A day
  who: Whoever reads the figures
  user_control: Nobody is behind a synthetic event
  handle: {{handle}}
  rotate: 1d
  max_bits: 64
  review: {{{{id: PR-0001, approved: 2026-11-02, expires: 2099-01-01, owner: bench, covers: {"ab" * 32}}}}}
"""
_RAW: Final = "  raw.bench.{name}: {{ttl: 24h, partitions: 4, producers: [bench]}}\n"
_TOPIC: Final = """  network-metadata.{name}: {{ttl: 72h, late: 24h, partitions: 2, consumers: [readers],
    basis: {{product: none, security: none, legal: none, reviewed: 2026-11-02, expires: 2099-01-01}}}}
"""
_OTHERS: Final = """quarantine: {topic: quarantine-bench, ttl: 7d, partitions: 1, consumers: [operators]}
changes: {topic: audit.changes-bench, ttl: 400d, consumers: [audit-office]}
"""
