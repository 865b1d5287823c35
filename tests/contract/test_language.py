"""A pattern's strings, counted out: exactly those that RE2 accepts, or a reason."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.language import MAX_STRINGS, Unusable, strings

ATOMS = st.sampled_from(["a", "b", "[ab]", "[a-c]", r"\.", r"\d", "(?:a|b)", "(ab|)", "()"])
TIMES = st.sampled_from(["", "?", "*", "+", "{2}", "{0,2}", "{1,}", "??"])
ROWS = st.lists(st.tuples(ATOMS, TIMES).map("".join), max_size=4).map("".join)
PATTERNS = st.lists(ROWS, min_size=1, max_size=3).map("|".join)
TEXTS = st.text(alphabet="abc.01", max_size=4)


@given(pattern=PATTERNS, text=TEXTS)
def test_the_strings_are_those_that_re2_accepts_and_no_others(pattern: str, text: str) -> None:
    try:
        accepted = strings(pattern, 4)
    except Unusable:  # it accepts nothing that is so short
        accepted = ()
    assert (text in accepted) == (re2.compile(pattern).fullmatch(text) is not None)


@given(
    pattern=st.text(alphabet=st.sampled_from(r"ab[]()|*+?{}0123456789,\.dw^$-:"), max_size=24),
    longest=st.integers(0, 8),
)
def test_any_text_is_counted_out_or_refused(pattern: str, longest: int) -> None:
    try:
        accepted = strings(pattern, longest)
    except Unusable:
        return
    assert 0 < len(accepted) <= MAX_STRINGS
    assert all(len(text) <= longest and re2.compile(pattern).fullmatch(text) for text in accepted)


@pytest.mark.parametrize("pattern", ["(a|b){16}", r"\d{4}", "[a-z]{3}"])
def test_as_many_strings_as_allowed_are_counted_out(pattern: str) -> None:
    assert len(strings(pattern, 16)) <= MAX_STRINGS


DASHES = ("[a-z-]", "[-a]", "[+-]", r"[\d-]", "[0-9-]{2}", "x[a-c-]")


@pytest.mark.parametrize("pattern", [r"[a-z\-]", r"[\-a]", r"[+\-]", r"[\d\-]", r"[0-9\-]{2}", r"x[a-c\-]", "a-b"])
def test_a_dash_that_is_written_as_the_message_says_is_taken(pattern: str) -> None:
    assert any("-" in text for text in strings(pattern, 3))


@pytest.mark.parametrize(
    ("pattern", "longest", "why"),
    [
        ("(a|b){17}", 17, "more than 65,536"),
        ("[^a]", 1, "accepts too much"),
        (".*", 4, "accepts too much"),
        ("^a$", 1, r"remove the anchor \^: a pattern always matches the whole text \(character 1\)"),
        (r"\bword", 4, "not taken"),
        (r"\p{L}", 4, "not taken"),
        ("(?i)a", 4, "not taken"),
        ("[[:alpha:]]", 4, "not taken"),
        ("é", 4, "only ASCII"),
        ("a\u2013b", 4, "only ASCII"),
        ("ab$", 4, r"remove the anchor \$.*character 3"),
        (r"\Aa", 4, "remove the anchor"),
        (r"\s", 4, "list the characters"),
        *((pattern, 4, "in a class, write a dash") for pattern in DASHES),
        (r"a\-b", 4, "outside a class, write a dash as -"),
        ("a{,3}", 4, "not taken"),
        ("(a", 4, "cannot be parsed"),
        ("a{1000}", 256, "accepts nothing"),
        ("(a|b){0,15}(a|b){0,15}", 15, "too ambiguous"),
        ("((a{0,256}){0,256}){0,256}", 256, "RE2"),
        ("(" * 40 + ")" * 40, 4, "groups"),
        ("a" * 600, 256, "longer"),
    ],
)
def test_a_pattern_that_cannot_be_counted_out_says_why(pattern: str, longest: int, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        strings(pattern, longest)
