"""Paths: read back as they were written; keys without regard to case; who covers whom."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.leaves import covers, leaves, overlap
from pipelines.contract.path import Path, Step
from pipelines.contract.policy import read_policy
from pipelines.contract.reading import read
from pipelines.contract.report import Report
from tests.contract.parts import raw

FIELDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
KEYS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"], exclude_characters='"\\\x7f'),
    min_size=1,
    max_size=8,
)
STEPS = st.one_of(
    FIELDS.map(Step),
    FIELDS.map(lambda field: Step(field, items=True)),
    st.builds(lambda field, key: Step(field, key=key.translate({c: c + 32 for c in range(65, 91)})), FIELDS, KEYS),
)
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(lambda steps: Path(tuple(steps)))

OF_KEYS = st.builds(lambda path, field: Path((*path.steps, Step(field, keys=True))), PATHS, FIELDS)


@given(path=PATHS | OF_KEYS)
def test_a_path_reads_back_as_it_is_written(path: Path) -> None:
    assert Path.parse(str(path)) == path


@given(text=st.text(alphabet=st.sampled_from('ab._[]{}"0 A-*\n'), max_size=16))
def test_a_text_is_a_path_or_a_value_error(text: str) -> None:
    try:
        path = Path.parse(text)
    except ValueError:
        return
    assert Path.parse(str(path)) == path


def test_keys_are_compared_without_regard_to_ascii_case() -> None:
    assert Path.parse('h{"User-Agent"}') == Path.parse('h{"USER-agent"}')
    assert Path.parse('h{"É"}') != Path.parse('h{"é"}')


@given(path=PATHS)
def test_a_path_overlaps_itself_and_its_beginnings(path: Path) -> None:
    for length in range(1, len(path.steps) + 1):
        assert overlap(path, Path(path.steps[:length]))
        assert covers(Path(path.steps[:length]), tuple(step.field for step in path.steps))


@pytest.mark.parametrize(
    ("one", "other", "can"),
    [
        ("tls", "tls.sni", True),
        ("tls.version", "tls.sni", False),
        ("checks", "checks[].id", True),
        ('headers{"a"}', 'headers{"b"}', False),
        ('headers{"a"}', "headers", True),
        ('m{"a"}.x', 'm{"a"}', True),
    ],
)
def test_two_paths_overlap_where_they_can_name_one_value(one: str, other: str, can: bool) -> None:
    assert overlap(Path.parse(one), Path.parse(other)) is can
    assert overlap(Path.parse(other), Path.parse(one)) is can


def test_leaves_are_spelled_as_the_schema_spells_them() -> None:
    inner: dict[str, Any] = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "x", "type": "int", "class": "metadata"}],
    }
    fields: list[dict[str, Any]] = [
        {"name": "plain", "type": "int"},
        {"name": "list", "type": ["null", {"type": "array", "items": {"type": "array", "items": "string"}}]},
        {"name": "items", "type": {"type": "array", "items": inner}},
        {"name": "map", "type": {"type": "map", "values": "R"}, "class": "content"},
    ]
    spelled = [leaf.spelled for leaf in leaves(raw(fields).record)]
    assert spelled == ["plain", "list[][]", "items[].x", "map{}", "map{}.x"]


def test_an_entry_of_a_map_does_not_decide_about_the_maps_keys() -> None:
    entry, keys, whole = Path.parse('m{"a"}'), Path.parse("m{}"), Path.parse("m")
    assert not covers(entry, ("m",), keys_only=True)
    assert covers(keys, ("m",), keys_only=True)
    assert covers(whole, ("m",), keys_only=True)
    assert covers(entry, ("m", "x"))
    assert not covers(keys, ("m", "x"))
    assert not overlap(keys, entry)
    assert overlap(keys, whole)


@pytest.mark.parametrize("path", ["m{}", "m{}.x"])
def test_no_rule_speaks_of_a_maps_keys(path: str) -> None:
    report = Report()
    node = read(f"event: a.b\nviews:\n  c.d:\n    '{path}': present\n".encode(), "b.yaml", report)
    assert node is not None
    read_policy(node, "a.b", report)
    assert [check for check, _ in report.mistakes] == ["path-syntax"]
