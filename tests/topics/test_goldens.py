"""Situations in triples of files: the cluster before, the contract's topics, the plan in words. No broker.

`PIPELINES_GOLDENS=write pytest tests/topics/test_goldens.py` writes the plans anew; read what changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from pipelines.topics.document import document, read
from pipelines.topics.planning import plan
from pipelines.topics.telling import plan_lines
from tests.topics.clusters import applied
from tests.topics.golden_files import GOLDENS, before, contract_of

SITUATIONS = sorted(GOLDENS.iterdir())


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
