"""docs/producer.md, from nothing to the first event of one's own: each block is run as it stands there."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.contract.pipeline_topics import SUBJECTS
from tests.support.processes import completed

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs/producer.md").read_text(encoding="utf-8")
WALK = PAGE.partition("## From nothing to the first event of your own")[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", WALK, re.DOTALL | re.MULTILINE)
REVIEW = next(line for line in WALK.splitlines() if line.startswith("    review: {"))
SCHEMA, CLASSES, PURPOSE, ANSWERS, TOPICS, RULES, LOOK, CASES, SIGN, VALID = range(10)


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nothing")


@pytest.fixture(scope="module")
def walked(folder: Path) -> list[Ended]:
    """What each block ended with. What a person writes by hand, the review, is written before the last one."""
    outcomes: list[Ended] = []
    for number, block in enumerate(BLOCKS):
        if number == VALID:
            digests = re.findall(r"^covers: ([0-9a-f]{64})$", outcomes[SIGN].out, re.MULTILINE)
            assert len(digests) == 1 + len(SUBJECTS), outcomes[SIGN]
            with (folder / "policies/purposes.yaml").open("a") as purposes:
                purposes.write(_review(digests[0]))
            file = folder / "policies/pipeline-topics.yaml"
            head, *entries = re.split(r"^(?=\w)", file.read_text(), flags=re.MULTILINE)
            assert [entry.partition(":")[0] for entry in entries] == list(SUBJECTS)
            signed = [entry + _review(digest) for entry, digest in zip(entries, digests[1:], strict=True)]
            file.write_text(head + "".join(signed))
        outcomes.append(_typed(block, folder))
    return outcomes


def _review(digest: str) -> str:
    return f"{REVIEW[2:].replace('<the printed digest>', digest)}\n"


def _typed(block: str, folder: Path) -> Ended:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = completed(["bash", "-e", "-c", block], cwd=folder, env={**os.environ, "PATH": path, "COLUMNS": "250"})
    return Ended(done.returncode, (done.stdout + done.stderr).decode())


def test_the_page_has_the_blocks_that_are_tried_here() -> None:
    assert len(BLOCKS) == VALID + 1


def test_every_block_ends_well_but_the_review_that_nobody_has_signed(walked: list[Ended]) -> None:
    assert [one.code for one in walked] == [0, 0, 0, 0, 0, 0, 0, 0, 1, 0], "\n".join(one.out for one in walked)


def test_attributes_of_other_tools_are_left_out_and_classes_begin_strict(folder: Path, walked: list[Ended]) -> None:
    schema = (folder / "schemas/raw/lock/latch.v1.avsc").read_text()
    assert walked[SCHEMA].code == 0
    assert not re.search(r"connect|avro\.java|confluent", schema)
    assert re.search(r'"name": "room".*?"class": "content"', schema, re.DOTALL)


def test_what_would_leave_is_seen_before_anybody_signs(walked: list[Ended]) -> None:
    assert walked[LOOK].out.count("UNSIGNED  lock-health") == 3
    assert walked[LOOK].out.count("UNSIGNED  quarantine") == 3
    assert '"moved":"JAMMED"' in walked[LOOK].out
    assert "made-up room" not in walked[LOOK].out
    assert "UNSIGNED" in walked[CASES].out
    assert "3 cases: 3 pass" in walked[CASES].out


def test_it_is_valid_in_the_end_and_has_pages(folder: Path, walked: list[Ended]) -> None:
    assert "valid as of" in walked[VALID].out
    assert "UNSIGNED" not in walked[VALID].out
    assert {"lock.latch.md", "device-lifecycle.lock-health.md"} <= {
        path.name for path in (folder / "docs/catalog").rglob("*.md")
    }
