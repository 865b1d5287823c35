"""Situations in triples of files: the cluster before, the contract's topics, the plan in words. No broker.

`PIPELINES_GOLDENS=write pytest tests/topics/test_goldens.py` writes the plans anew; read what changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import orjson
import pytest

from pipelines.contract.model import Contract
from pipelines.contract.reading import read as read_yaml
from pipelines.contract.report import Report
from pipelines.contract.topics import read_topics, with_late
from pipelines.topics.document import document, read, read_state
from pipelines.topics.planning import plan
from pipelines.topics.state import ClusterState
from pipelines.topics.telling import plan_lines
from tests.topics.clusters import applied

GOLDENS = Path(__file__).parent / "goldens"
SITUATIONS = sorted(GOLDENS.iterdir())


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


def test_there_are_enough_situations_to_trust_a_plan() -> None:
    assert len(SITUATIONS) >= 25
    assert all({each.name for each in path.iterdir()} == {"before.json", "plan", "topics.yaml"} for path in SITUATIONS)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda path: path.name)
def test_the_plan_is_what_a_reviewer_agreed_to(situation: Path) -> None:
    planned = plan(contract_of(situation / "topics.yaml"), before(situation))
    said = "\n".join(plan_lines(planned)) + "\n"
    if os.environ.get("PIPELINES_GOLDENS") == "write":
        (situation / "plan").write_text(said)
    assert said == (situation / "plan").read_text()


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda path: path.name)
def test_after_its_steps_nothing_is_left_to_do_but_to_record(situation: Path) -> None:
    contract, state = contract_of(situation / "topics.yaml"), before(situation)
    after = applied(contract, state)
    assert {step.kind for step in plan(contract, after).steps} <= {"record"}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda path: path.name)
def test_a_saved_plan_is_read_back_as_it_was(situation: Path) -> None:
    contract = contract_of(situation / "topics.yaml")
    planned = plan(contract, before(situation))
    assert read(orjson.dumps(document(planned, None)), contract, None) == planned
