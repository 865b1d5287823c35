"""Answers to a data review's questions: what puts a question off is found, what answers it is not."""

from __future__ import annotations

import pytest

from pipelines.contract.purposes import is_placeholder


@pytest.mark.parametrize(
    "answer",
    ["TODO", "todo: ask", "n/a", "N.A.", "tbd", "-", "?", "...", "12", "none", "None.", "See above"],
)
def test_what_puts_a_question_off_is_a_placeholder(answer: str) -> None:
    assert is_placeholder(answer)


@pytest.mark.parametrize(
    "answer",
    ["Enyra", "None needed, as there is no handle", "Not stored at all", "Nobody", "Nichts davon"],
)
def test_what_answers_in_few_words_is_none(answer: str) -> None:
    assert not is_placeholder(answer)
