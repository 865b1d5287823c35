"""docs/contract.md says what the code holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contract import CHECKS
from pipelines.contract.avro import FieldClass
from pipelines.contract.findings import Severity
from pipelines.contract.policy import ACTIONS
from pipelines.contract.purposes import OBJECTIVES
from pipelines.contract.topics import CATEGORIES
from pipelines.contract.view import STRICTEST_FIRST

PAGE = (Path(__file__).parents[2] / "docs/contract.md").read_text()


def test_the_page_lists_every_check_as_the_registry_says_it() -> None:
    rows = [
        f"| `{check.id}` | {'*warning:* ' if check.severity is Severity.WARNING else ''}{check.says} |"
        for check in CHECKS
    ]
    listed = PAGE.partition("<!-- checks -->")[2]
    assert [line for line in listed.splitlines() if line.startswith("| `")] == rows


@pytest.mark.parametrize("word", [*ACTIONS, *FieldClass, *CATEGORIES, *OBJECTIVES])
def test_the_page_names_every_word_of_the_language(word: str) -> None:
    assert word in PAGE


def test_the_page_orders_the_classes_as_the_checks_do() -> None:
    rows = [
        line.split("`")[1]
        for line in PAGE.splitlines()
        if line.startswith("| `") and line.split("`")[1] in list(FieldClass)
    ]
    assert rows == list(STRICTEST_FIRST)
