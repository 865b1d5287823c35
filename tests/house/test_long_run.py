"""The page of the last long run says where, when and how it ended."""

from __future__ import annotations

from pathlib import Path

from tests.support.long_run import LongRun, commit_of

ROOT = Path(__file__).parents[2]


def test_the_page_names_commit_sizes_outcome_long_tests_and_figures() -> None:
    run = LongRun(Path("unused"))
    run.seconds = {"tests/a/test_b.py::test_long": 61.2, "tests/a/test_b.py::test_short": 0.2}
    run.figures = {"tests/a/test_b.py::test_long": [("events", 200_000)]}
    page = "\n".join(run.lines({"passed": 2}, "abc1234", {"PIPELINES_JOB_EVENTS": "200000", "HOME": "/nowhere"}))
    for line in (
        "| commit | abc1234 |",
        "| sizes | `PIPELINES_JOB_EVENTS=200000` |",
        "| outcome | 2 passed |",
        "| `a/test_b.py::test_long` | 61 |",
        "| `a/test_b.py::test_long` | events | 200000 |",
    ):
        assert line in page.splitlines()
    assert "test_short` |" not in page
    assert "/nowhere" not in page


def test_the_commit_is_that_of_the_checkout(tmp_path: Path) -> None:
    assert commit_of(ROOT) != "unknown"
    assert commit_of(tmp_path) == "unknown"
