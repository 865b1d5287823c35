"""A schema in ASCII, as most JSON libraries write it, is the schema that says the same in UTF-8."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import load
from pipelines.contract.node import Mapping, Scalar
from pipelines.contract.reading import read
from pipelines.contract.report import Report, counted
from tests.support.contract_folders import BASE, TODAY, edited

SCHEMA = "schemas/raw/vpn/session.v1.avsc"
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\ud83e"/\U0001f600\U0001f1e6'), max_size=12
)


def scalars(text: str) -> tuple[list[str], list[int], list[str]]:
    """Keys and values, in turn, with their columns, and the checks that failed."""
    report = Report()
    node = read(text.encode(), "any.avsc", report, strict_json=True)
    failed = [check for check, _ in report.mistakes]
    if not isinstance(node, Mapping):
        return [], [], failed
    found = [one for pair in node.entries for one in pair if isinstance(one, Scalar)]
    return [one.text for one in found], [one.position.column for one in found], failed


@given(values=st.lists(TEXTS, min_size=1, max_size=4))
def test_ascii_json_says_what_it_says_in_utf8_and_at_its_own_columns(values: list[str]) -> None:
    document = {f"k{number}": value for number, value in enumerate(values)}
    in_ascii, in_utf8 = json.dumps(document), json.dumps(document, ensure_ascii=False)
    said, columns, failed = scalars(in_ascii)
    again, _, failed_in_utf8 = scalars(in_utf8)
    assert (said, bool(failed)) == (again, bool(failed_in_utf8))
    if said:
        assert said == [text for pair in document.items() for text in pair]
        keys = columns[::2]
        assert keys == [in_ascii.index(f'"k{number}": ') + 1 for number in range(len(values))]


def test_half_a_pair_is_a_mistake() -> None:
    for text in (r'{"a": "\ud83d"}', r'{"a": "\ude00"}', r'{"a": "\ud83dx\ude00"}', r'{"a": "\ude00\ud83d"}'):
        assert scalars(text)[2] != [], text


def test_an_escaped_backslash_before_the_letters_of_a_pair_is_no_escape() -> None:
    text = r'{"a": "\\ud83d\\ude00"}'
    assert scalars(text)[0] == ["a", r"\ud83d\ude00"]


def test_a_doc_with_an_emoji_in_ascii_is_valid(tmp_path: Path) -> None:
    folder = edited(tmp_path, {SCHEMA: ('"name": "Session"', r'"name": "Session", "doc": "the plan \ud83d\ude00"')})
    assert load(folder, as_of=TODAY).findings == load(BASE, as_of=TODAY).findings


def test_nouns_stand_in_the_singular_beside_one() -> None:
    numbers = [counted(number, "mistake") for number in (0, 1, 2, 1_000)]
    assert numbers == ["0 mistakes", "1 mistake", "2 mistakes", "1,000 mistakes"]
    assert counted(2, "entry", "entries") == "2 entries"
