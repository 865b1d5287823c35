"""The situations in `goldens`: a cluster before, a contract's topics, and the plan in words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pipelines.contract.model import Contract
from pipelines.contract.reading import read as read_yaml
from pipelines.contract.report import Report
from pipelines.contract.topics import read_topics, with_late
from pipelines.topics.document import read_state
from pipelines.topics.state import ClusterState

GOLDENS = Path(__file__).parent / "goldens"


def contract_of(path: Path) -> Contract:
    """The contract of a topics.yaml alone."""
    report = Report()
    node = read_yaml(path.read_bytes(), path.name, report)
    assert node is not None
    topics = read_topics(node, report)
    assert topics.quarantine is not None
    assert not report.mistakes
    minimized = {name: with_late(topic, []) for name, topic in topics.minimized.items()}
    told_apart = hashlib.sha256(path.read_bytes()).digest()  # by the file alone, so that the goldens stay as they are
    parts = ({}, {}, minimized, dict(topics.raw), topics.quarantine, told_apart)
    return Contract(*parts, changes=topics.changes)


def before(situation: Path) -> ClusterState:
    state = read_state(json.loads((situation / "before.json").read_text()))
    assert state is not None
    return state
